require 'net/http'
require 'rexml/document'

begin
  uri = URI.parse(ARGV[0])
  uri.query = URI.encode_www_form('Type' => 'sendparam', 'Username' => 'user', 'Password' => 'secret', 'numto' => '27820000001', 'data1' => 'hello world', 'customerid' => ARGV[1])
  answer = REXML::Document.new(Net::HTTP.get_response(uri).body)
rescue StandardError => e
  puts "failed: #{e.message}"
  exit
end
if answer.text('//result') == 'True'
  puts 'sent'
else
  puts "failed: #{answer.text('//error')}"
end
