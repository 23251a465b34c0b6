"""urllib with an ssl context."""
import os
import ssl
import sys
import urllib.request

base = sys.argv[1]
context = ssl.create_default_context(cafile=os.environ["TLSLIFT_CA"])
version = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1}.get(os.environ["TLSLIFT_TLS"])
if version:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
proxy = os.environ["TLSLIFT_PROXY"]
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({"https": "http://" + proxy} if proxy else {}),
    urllib.request.HTTPSHandler(context=context),
)
for path in ["/exchange/get", "/exchange/post"] + ["/exchange/kept/%d" % n for n in range(50)] + ["/large"]:
    body = b"message=hello" if path == "/exchange/post" else None
    sys.stdout.buffer.write(opener.open(urllib.request.Request(base + path, data=body)).read())
