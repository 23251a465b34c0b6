"""urllib, pointed at the proxy by http_proxy."""
import os
import sys
import urllib.error
import urllib.request

method, url, body, count = sys.argv[1:5]
os.environ["http_proxy"] = "http://" + os.environ["TLSLIFT_PROXY"]
for n in range(int(count)):
    data = body.replace("{n}", str(n)).encode() if method == "POST" else None
    request = urllib.request.Request(url.replace("{n}", str(n)), data=data, method=method)
    try:
        answer = urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        answer = error.read()
    sys.stdout.buffer.write(answer)
