import sys

import zeep

print(zeep.Client(sys.argv[1]).service.Credits_STR(username='user', password='secret'))
