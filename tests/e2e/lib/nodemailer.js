// Sends what the test asks for with nodemailer and prints what nodemailer said, as JSON.
// usage: NODE_PATH=.../node_modules node nodemailer.js PORT CA_FILE
'use strict';
const fs = require('fs');
const nodemailer = require('nodemailer');

const [port, ca] = [Number(process.argv[2]), fs.readFileSync(process.argv[3])];
const tls = { ca, servername: 'localhost' };
const base = { host: '127.0.0.1', port, tls };

async function main() {
    const shop = { ...base, requireTLS: true, auth: { user: 'shop', pass: 'pass word' } };
    const one = nodemailer.createTransport(shop);
    await one.verify();
    const whole = await one.sendMail({
        from: 'Shöp <n@shop.test>',
        to: ['Ann <ann@client.asia>', 'jörg@bücher.test'],
        bcc: 'bcc@client.asia',
        subject: 'tok-node-1 Grüße 你好',
        text: 'tok-node-1\n.a line that begins with a dot\n',
        html: '<p>tok-node-1 <b>bold</b></p>',
        attachments: [{ filename: 'ünï.bin', content: Buffer.from([...Array(256).keys()]) }],
        dsn: { id: 'env-1', return: 'headers', notify: ['failure'], recipient: 'n@shop.test' },
    });
    let wrong = 'accepted';
    try {
        const auth = { user: 'shop', pass: 'wrong' };
        await nodemailer.createTransport({ ...shop, auth }).sendMail({ from: 'n@shop.test', to: 'a@client.asia', text: 'x' });
    } catch (error) {
        wrong = error.responseCode;
    }
    const pool = nodemailer.createTransport({ ...base, pool: true, maxConnections: 3, ignoreTLS: true });
    const pooled = await Promise.all([...Array(30).keys()].map((i) =>
        pool.sendMail({ from: 'n@app.test', to: `pool${i}@client.asia`, subject: `tok-pool-${i}`, text: 'pooled' })));
    pool.close();
    console.log(JSON.stringify({
        accepted: whole.accepted, rejected: whole.rejected, response: whole.response, wrong,
        pooled: pooled.filter((i) => i.accepted.length === 1).length,
    }));
}

main().catch((error) => { console.error(error); process.exit(1); });
