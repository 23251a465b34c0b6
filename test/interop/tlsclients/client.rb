# Net::HTTP: one started session, so that the connection is kept.
require 'net/http'
require 'openssl'
require 'uri'

base = URI.parse(ARGV[0])
host, port = ENV['TLSLIFT_PROXY'].split(':')
http = Net::HTTP.new(base.host, base.port, host, port && port.to_i)
http.use_ssl = true
http.ca_file = ENV['TLSLIFT_CA']
version = { '1.0' => OpenSSL::SSL::TLS1_VERSION, '1.1' => OpenSSL::SSL::TLS1_1_VERSION }[ENV['TLSLIFT_TLS']]
if version
  http.ciphers = 'ALL:@SECLEVEL=0'
  http.min_version = http.max_version = version
end
$stdout.binmode
http.start do |session|
  $stdout.write(session.get('/exchange/get').body)
  $stdout.write(session.post('/exchange/post', 'message=hello').body)
  50.times { |n| $stdout.write(session.get("/exchange/kept/#{n}").body) }
  $stdout.write(session.get('/large').body)
end
