import sys

import requests

try:
    answer = requests.get(sys.argv[1], timeout=30, params={
        'Type': 'sendparam', 'Username': 'user', 'Password': 'secret', 'Numto': '27820000001',
        'Data1': 'hello world', 'customerID': sys.argv[2]})
except Exception as e:
    print('failed:', e)
    sys.exit()
if answer.status_code == 200:
    print('sent')
else:
    print('failed:', answer.status_code, answer.reason)
