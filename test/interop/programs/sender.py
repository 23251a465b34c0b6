import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree

form = urllib.parse.urlencode({
    'Type': 'sendparam', 'Username': 'user', 'Password': 'secret', 'numto': '27820000001',
    'data1': 'hello world', 'customerid': sys.argv[2]})
try:
    answer = urllib.request.urlopen(sys.argv[1], form.encode()).read()
except Exception as e:
    print('failed:', e)
    sys.exit()
result = xml.etree.ElementTree.fromstring(answer)
if result.findtext('call_result/result') == 'True':
    print('sent')
else:
    print('failed:', result.findtext('call_result/error'))
