"""A script of the time before SNI. Arguments: host, path and query, a file of
trusted roots, and "old" for one that offers TLS 1.0 alone."""
import socket
import ssl
import sys

host, path, roots = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False  # it takes a server_hostname, which is sent as SNI
context.load_verify_locations(roots)
if sys.argv[4:] == ["old"]:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
with context.wrap_socket(socket.create_connection((host, 443), 20)) as s:
    cn = [value for rdn in s.getpeercert()["subject"] for key, value in rdn if key == "commonName"]
    s.sendall(("GET %s HTTP/1.0\r\n\r\n" % path).encode())
    answer = b""
    while chunk := s.recv(4096):
        answer += chunk
print("CN", cn, answer.decode())
