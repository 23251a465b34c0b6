// client.js PORT CIPHERS: an OpenSSL 1.0.1 client that frames its hello as
// SSL 2.0 did, sends data of many sizes and expects each back.
var crypto = require('crypto'), constants = require('constants'), tls = require('tls');
var sizes = [1, 2, 15, 16, 17, 100, 5000, 20000, 1], sent, got;
var socket = tls.connect({
  host: '127.0.0.1', port: +process.argv[2], rejectUnauthorized: false, ciphers: process.argv[3],
  secureProtocol: 'SSLv23_method', secureOptions: constants.SSL_OP_NO_TLSv1_1 | constants.SSL_OP_NO_TLSv1_2
}, next);
function next() {
  if (sizes.length === 0) {
    console.log('ok ' + socket.getCipher().name);
    return socket.end();
  }
  sent = crypto.randomBytes(sizes.shift());
  got = [];
  socket.write(sent);
}
socket.on('data', function (d) {
  got.push(d);
  var all = Buffer.concat(got);
  if (all.length < sent.length) return;
  if (all.toString('hex') !== sent.toString('hex')) throw new Error('other bytes came back');
  next();
});
socket.on('error', function (e) { console.log(String(e)); process.exit(1); });
