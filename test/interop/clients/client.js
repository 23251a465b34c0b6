// Node's own http module, as programs of its early years pointed it at a proxy:
// connected to the proxy, the whole address as the path, and so the proxy's
// name in Host.
var http = require('http');
var method = process.argv[2], url = process.argv[3], body = process.argv[4], count = Number(process.argv[5]);
var proxy = process.env.TLSLIFT_PROXY.split(':');
var agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function next(n) {
  if (n === count) {
    agent.destroy();
    return;
  }
  var content = body.replace(/\{n\}/g, n);
  var options = { host: proxy[0], port: Number(proxy[1]), method: method, path: url.replace(/\{n\}/g, n), agent: agent, headers: {} };
  if (method === 'POST') {
    options.headers['Content-Type'] = 'application/x-www-form-urlencoded';
    options.headers['Content-Length'] = Buffer.byteLength(content);
  }
  var request = http.request(options, function (answer) {
    answer.on('data', function (data) { process.stdout.write(data); });
    answer.on('end', function () { next(n + 1); });
  });
  request.on('error', function (error) {
    console.error(String(error));
    process.exit(1);
  });
  request.end(content);
}
next(0);
