#!/bin/sh
# The APIs of ESPs in front: durable requests a second of each, keep-alive, mails of 1 kB to many
# recipients (SES: to one, since its requests are signed), and the own API beside them.
# usage: BUILD=build/gcc bench/esp.sh [SECONDS [CONNECTIONS]]
set -eu
seconds=${1:-3} connections=${2:-50} build=${BUILD:-build/gcc}
command -v python3 >/dev/null || { echo "SKIPPED: esp: python3 is not installed"; exit 0; }
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-esp.XXXXXX")
daemon=
cleanup() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
    rm -rf "$dir"
}
trap cleanup EXIT INT TERM

# Its one account refuses connections: everything it takes is held.
cat >"$dir/mailtide.conf" <<CONF
state_dir = "$dir/state";
http: { listen = ["127.0.0.1:0"]; connections_per_ip_max = 1000; };
smtp: { listen = []; };
dns: { servers = ["127.0.0.1:9"]; };
accounts: { closed: { type = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; }; };
applications: { bench: { anonymous = true; key = "bench"; ses_access_key = "AKIABENCH"; ses_secret = "secret";
                         senders = ["example.com"]; accounts = ["closed"]; }; };
CONF
"$build/mailtided" -c "$dir/mailtide.conf" 2>"$dir/log" &
daemon=$!
until grep -qs daemon.ready "$dir/log"; do
    kill -0 "$daemon" || { cat "$dir/log"; exit 1; }
    sleep 0.05
done
http=$(sed -n 's/.*daemon.ready.* http=[^ ]*:\([0-9]*\) .*/\1/p' "$dir/log")

python3 - "$dir" "$http" <<'PYTHON'
import base64, datetime, hashlib, hmac, json, sys
folder, port = sys.argv[1:]
text, who = "x" * 700, "u@@@@@@@@@client.asia"
basic = base64.b64encode(b"api:bench").decode()
bearer = {"Authorization": "Bearer bench"}


def write(name, path, body, headers, kind="application/json"):
    body = body if isinstance(body, str) else json.dumps(body)
    head = {"Host": f"127.0.0.1:{port}", "Content-Type": kind, "Content-Length": len(body), **headers}
    with open(f"{folder}/{name}", "w", newline="") as f:
        f.write(f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n" + body)


def signed(path, body, kind):
    now = datetime.datetime.now(datetime.timezone.utc)
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/us-east-1/ses/aws4_request"
    sha = lambda s: hashlib.sha256(s.encode()).hexdigest()
    canonical = f"POST\n{path}\n\ncontent-type:{kind}\nhost:127.0.0.1:{port}\nx-amz-date:{at}\n\n" \
                f"content-type;host;x-amz-date\n{sha(body)}"
    key = b"AWS4secret"
    for part in (day, "us-east-1", "ses", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha(canonical)}".encode(), hashlib.sha256).hexdigest()
    return {"x-amz-date": at, "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIABENCH/{scope}, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={signature}"}


write("own", "/v1/notifications", {"from": "a@example.com", "to": who, "subject": "s", "text": text}, bearer)
write("sendgrid", "/v3/mail/send", {"personalizations": [{"to": [{"email": who}]}], "from": {"email": "a@example.com"},
                                    "subject": "s", "content": [{"type": "text/plain", "value": text}]}, bearer)
write("postmark", "/email", {"From": "a@example.com", "To": who, "Subject": "s", "TextBody": text},
      {"X-Postmark-Server-Token": "bench"})
write("resend", "/emails", {"from": "a@example.com", "to": who, "subject": "s", "text": text}, bearer)
form = "application/x-www-form-urlencoded"
write("mailgun", "/v3/example.com/messages", f"from=a@example.com&to={who}&subject=s&text={text}",
      {"Authorization": f"Basic {basic}"}, form)
v2 = json.dumps({"FromEmailAddress": "a@example.com", "Destination": {"ToAddresses": ["u@client.asia"]},
                 "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": text}}}}})
write("ses_v2", "/v2/email/outbound-emails", v2, signed("/v2/email/outbound-emails", v2, "application/json"))
v1 = f"Action=SendEmail&Source=a@example.com&Destination.ToAddresses.member.1=u@client.asia" \
     f"&Message.Subject.Data=s&Message.Body.Text.Data={text}"
write("ses_v1", "/", v1, signed("/", v1, form), form)
PYTHON
for api in own sendgrid postmark resend mailgun ses_v2 ses_v1; do
    "$build/bench/bench_http_load" "$http" "$connections" "$seconds" 0 1 "$dir/$api" |
        sed -n "s/^notifications_per_s \(.*\) .*/esp_${api}_requests_per_s \1 requests\/s/p; s/^failed \([1-9].*\)/esp_${api}_failed \1/p; s/^latency_p99/esp_${api}_latency_p99/p"
done
