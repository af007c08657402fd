# Debian's postmark gem, unmodified, against mailtide: ruby esp_postmark.rb PORT
require 'json'
require 'postmark'

def client(key, port)
  Postmark::ApiClient.new(key, host: '127.0.0.1', port: port, secure: false)
end

port = ARGV[0].to_i
letter = { from: 'Ünïcode <n@shop.test>', to: ['ann@client.asia', 'ben@client.asia'], bcc: '', subject: 'tok-rb-1 Grüße',
           text_body: "äöü 🙂\n", html_body: '<p>äöü</p>',
           attachments: [{ name: 'ünï.bin', content: [(0..255).to_a.pack('C*')].pack('m'), content_type: 'application/octet-stream' }] }
told = { sent: client('key-of-shop', port).deliver(**letter) }
begin
  client('wrong', port).deliver(**letter)
rescue Postmark::InvalidApiKeyError => e
  told[:wrong] = [e.class.name, e.status_code.to_i]
end
begin
  client('key-of-shop', port).deliver(**letter, to: 'not an address')
rescue Postmark::InvalidEmailAddressError => e
  told[:bad] = [e.class.name, e.status_code.to_i]
end
puts JSON.generate(told)
