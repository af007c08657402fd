# Debian's Ruby mail, unmodified: ruby smtp_ruby.rb PORT, prints one JSON object.
require 'json'
require 'mail'

def deliver(port, password, token, to)
  mail = Mail.new(charset: 'UTF-8') do
    from 'Ünïcode <n@shop.test>'
    to to
    bcc 'dan@client.asia'
    subject "#{token} Grüße 你好"
    text_part { body "äöü 🙂\n.dot\n"; content_type 'text/plain; charset=UTF-8' }
    html_part { body '<p>äöü</p>'; content_type 'text/html; charset=UTF-8' }
    add_file filename: 'ünï.bin', content: (0..255).to_a.pack('C*')
  end
  mail.delivery_method :smtp, address: 'localhost', port: port, user_name: 'shop', password: password,
                              authentication: :plain, enable_starttls_auto: true
  mail.deliver!
  0
rescue StandardError => e
  [e.class.name, e.message[0, 3].to_i]
end

port = ARGV[0].to_i
puts JSON.generate(sent: deliver(port, 'pass word', 'tok-ruby-1', %w[ann@client.asia ben@client.asia]),
                   wrong: deliver(port, 'wrong', 'tok-ruby-2', ['ann@client.asia']),
                   bad: deliver(port, 'pass word', 'tok-ruby-3', ['ann@other@client.asia']))
