# Net::HTTP: one started session, so that the connection is kept.
require 'net/http'
require 'uri'

method, url, body, count = ARGV
host, port = ENV['TLSLIFT_PROXY'].split(':')
target = URI.parse(url.gsub('{n}', '0'))
$stdout.binmode
Net::HTTP.new(target.host, target.port, host, port.to_i).start do |http|
  count.to_i.times do |n|
    path = URI.parse(url.gsub('{n}', n.to_s)).request_uri
    request = method == 'POST' ? Net::HTTP::Post.new(path) : Net::HTTP::Get.new(path)
    if method == 'POST'
      request['Content-Type'] = 'application/x-www-form-urlencoded'
      request.body = body.gsub('{n}', n.to_s)
    end
    $stdout.write(http.request(request).body)
  end
end
