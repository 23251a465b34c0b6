var http = require('http');
var query = 'Type=sendparam&Username=user&Password=secret&numto=27820000001&data1=hello%20world&customerid=' + process.argv[3];
http.get(process.argv[2] + '?' + query, function (response) {
  var body = '';
  response.on('data', function (chunk) { body += chunk; });
  response.on('end', function () {
    var error = /<error>(.*)<\/error>/.exec(body);
    console.log(/<result>True<\/result>/.test(body) ? 'sent' : 'failed: ' + (error ? error[1] : body));
  });
}).on('error', function (e) { console.log('failed: ' + e.message); });
