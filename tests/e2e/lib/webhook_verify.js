// Verifies what stands on standard input, {"secret", "calls": [{"headers", "body"}]}, with the
// library that receivers use; prints how many were right.
const { Webhook } = require("standardwebhooks");

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const { secret, calls } = JSON.parse(text);
  const webhook = new Webhook(secret);
  let right = 0;
  for (const call of calls) {
    const event = webhook.verify(call.body, call.headers);
    if (event.id === call.headers["webhook-id"]) right++;
  }
  let wrong = 0;
  try {
    webhook.verify(calls[0].body + " ", calls[0].headers);
  } catch (_) {
    wrong++;
  }
  console.log(`${right} right, ${wrong} wrong`);
});
