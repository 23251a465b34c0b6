// node 0.12 (OpenSSL 1.0.1): a transport and HTTP by hand, as programs of its time
// did to get through proxies, and its own tls between them.
// TLSLIFT_TLS may also be ssl2 or ssl3: those alone; or sslv2: a hello in SSL
// 2.0 framing, which takes no server name and nothing above TLS 1.0. All three
// take node's --enable-ssl2 --enable-ssl3. TLSLIFT_CIPHERS limits the suites.
var constants = require('constants'), fs = require('fs'), http = require('http'), net = require('net'), tls = require('tls'), url = require('url');
var base = url.parse(process.argv[2]), ca = fs.readFileSync(process.env.TLSLIFT_CA), version = process.env.TLSLIFT_TLS;
var proxy = process.env.TLSLIFT_PROXY;
var ciphers = process.env.TLSLIFT_CIPHERS;

var paths = ['/exchange/get', '/exchange/post'];
for (var i = 0; i < 50; i++) {
  paths.push('/exchange/kept/' + i);
}
paths.push('/large');

function failed(error) {
  console.error(String(error));
  process.exit(1);
}

function secure(socket) {
  var options = { socket: socket, ca: [ca], rejectUnauthorized: true, ciphers: ciphers || 'ALL' };
  if (version === 'sslv2') {
    options.secureProtocol = 'SSLv23_method';
    options.secureOptions = constants.SSL_OP_NO_TLSv1_1 | constants.SSL_OP_NO_TLSv1_2;
    options.ciphers = ciphers || 'ALL:SSLv2';
    options.checkServerIdentity = function (ignored, certificate) { return tls.checkServerIdentity(base.hostname, certificate); };
  } else {
    options.secureProtocol = { '1.0': 'TLSv1_method', ssl3: 'SSLv3_method', ssl2: 'SSLv2_method' }[version];
    options.servername = base.hostname;
  }
  var stream = tls.connect(options, function () { next(stream, 0); });
  stream.on('error', failed);
  stream.on('end', function () { failed('the connection ended'); });
}

// next asks for one thing after the other; the last answer ends the program.
function next(stream, n) {
  if (n === paths.length) {
    stream.end();
    process.exit(0);
  }
  var post = paths[n] === '/exchange/post';
  var request = (post ? 'POST ' : 'GET ') + paths[n] + ' HTTP/1.1\r\nHost: ' + base.host + '\r\n';
  stream.write(post ? request + 'Content-Length: 13\r\n\r\nmessage=hello' : request + '\r\n');
  var head = '', left = -1;
  function take(data) {
    if (left < 0) {
      head += data.toString('binary');
      var end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        return;
      }
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)[1]);
      data = new Buffer(head.slice(end + 4), 'binary');
    }
    left -= data.length;
    process.stdout.write(data);
    if (left === 0) {
      stream.removeListener('data', take);
      next(stream, n + 1);
    }
  }
  stream.on('data', take);
}

if (proxy) {
  var at = proxy.split(':');
  var tunnel = http.request({ host: at[0], port: Number(at[1]), method: 'CONNECT', path: base.hostname + ':443' });
  tunnel.on('connect', function (answer, socket) { secure(socket); });
  tunnel.on('error', failed);
  tunnel.end();
} else {
  var socket = net.connect(Number(base.port), base.hostname, function () { secure(socket); });
  socket.on('error', failed);
}
