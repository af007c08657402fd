// The ESPs' own SDKs, unmodified, against mailtide: node esp.js CLIENT BASE-URL
// Prints one JSON object of what the SDK gave back, errors by the SDK's own types.
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const PNG = Buffer.from('iVBORw0KGgo=', 'base64');
const [, , client, base] = process.argv;
const host = base.replace('http://', '');
const letter = (token) => ({
  subject: `${token} Grüße 你好`,
  text: `${token}\n.begins with a dot\näöü 🙂\n`,
  html: `<p>${token} äöü <img src="cid:logo"></p>`,
});
// What a call fails with, or "no error".
const failure = async (promise, tell) => {
  try {
    await promise;
    return 'no error';
  } catch (e) {
    return tell(e);
  }
};

const clients = {
  async sendgrid() {
    const mail = (key) => {
      const m = new (require('@sendgrid/mail').MailService)();
      m.setApiKey(key);
      m.client.setDefaultRequest('baseUrl', base);
      return m;
    };
    const sg = mail('key-of-shop');
    const whole = {
      from: { email: 'n@shop.test', name: 'Ünïcode' },
      to: [{ email: 'ann@client.asia', name: 'Ann, B.' }, 'ben@client.asia'],
      cc: 'cyd@client.asia',
      bcc: 'dan@client.asia',
      replyTo: 'r@shop.test',
      ...letter('tok-sg-1'),
      attachments: [
        { content: BYTES.toString('base64'), filename: 'ünï.bin', type: 'application/octet-stream', disposition: 'attachment' },
        { content: PNG.toString('base64'), filename: 'logo.png', type: 'image/png', disposition: 'inline', contentId: 'logo' },
      ],
      categories: ['c1'],
      headers: { 'X-A': 'b' },
      customArgs: { k: 'v' },
    };
    const [sent] = await sg.send(whole);
    await sg.sendMultiple({
      from: 'n@shop.test',
      to: ['m1@client.asia', 'm2@client.asia'],
      subject: 'tok-sg-2 {{name}}',
      text: 'hello {{name}}',
      substitutions: { name: 'Äda' },
    });
    await sg.send([1, 2, 3].map((i) => ({ from: 'n@shop.test', to: `l${i}@client.asia`, subject: 'tok-sg-3', text: 'x' })));
    const small = { from: 'n@shop.test', to: 'ann@client.asia', subject: 'tok-sg-no', text: 'x' };
    const [sandboxed] = await sg.send({ ...small, mailSettings: { sandboxMode: { enable: true } } });
    const tell = (e) => [e.constructor.name, e.code, e.response.body.errors[0]];
    return {
      status: sent.statusCode,
      id: sent.headers['x-message-id'],
      sandbox: sandboxed.statusCode,
      wrong: await failure(mail('wrong').send(small), tell),
      bad: await failure(sg.send({ ...small, to: 'not an address' }), tell),
      sender: await failure(sg.send({ ...small, from: 'n@other.test' }), tell),
      template: await failure(sg.send({ ...small, templateId: 'd-1', dynamicTemplateData: {} }), tell),
    };
  },

  async postmark() {
    const { ServerClient } = require('postmark');
    const of = (key) => new ServerClient(key, { requestHost: host, useHttps: false });
    const pm = of('key-of-shop');
    const { subject, text, html } = letter('tok-pm-1');
    const sent = await pm.sendEmail({
      From: 'Ünïcode <n@shop.test>',
      To: '"Ann, B." <ann@client.asia>, ben@client.asia',
      Cc: 'cyd@client.asia',
      Bcc: 'dan@client.asia',
      ReplyTo: 'r@shop.test',
      Subject: subject,
      TextBody: text,
      HtmlBody: html,
      Tag: 't',
      MessageStream: 'outbound',
      Metadata: { k: 'v' },
      Headers: [{ Name: 'X-A', Value: 'b' }],
      Attachments: [
        { Name: 'ünï.bin', Content: BYTES.toString('base64'), ContentType: 'application/octet-stream', ContentID: null },
        { Name: 'logo.png', Content: PNG.toString('base64'), ContentType: 'image/png', ContentID: 'cid:logo' },
      ],
    });
    const small = { From: 'n@shop.test', To: 'l1@client.asia', Subject: 'tok-pm-3', TextBody: 'x' };
    const batch = await pm.sendEmailBatch([small, { ...small, To: 'not an address' }, { ...small, To: 'l2@client.asia' }]);
    const tell = (e) => [e.name, e.code, e.statusCode, e.message];
    return {
      sent,
      batch,
      wrong: await failure(of('wrong').sendEmail(small), tell),
      bad: await failure(pm.sendEmail({ ...small, To: 'not an address' }), tell),
      sender: await failure(pm.sendEmail({ ...small, From: 'n@other.test' }), tell),
      template: await failure(pm.sendEmailWithTemplate({ From: 'n@shop.test', To: 'a@client.asia', TemplateId: 1, TemplateModel: {} }), tell),
    };
  },

  async resend() {
    const { Resend } = require('resend');
    const of = (key) => new Resend(key, { baseUrl: base });
    const rs = of('key-of-shop');
    const whole = {
      from: 'Ünïcode <n@shop.test>',
      to: ['"Ann, B." <ann@client.asia>', 'ben@client.asia'],
      cc: 'cyd@client.asia',
      bcc: ['dan@client.asia'],
      replyTo: 'r@shop.test',
      ...letter('tok-rs-1'),
      headers: { 'X-A': 'b' },
      attachments: [
        { content: BYTES.toString('base64'), filename: 'ünï.bin' },
        { content: PNG, filename: 'logo.png', contentId: 'logo' },
      ],
      tags: [{ name: 'k', value: 'v' }],
    };
    const first = await rs.emails.send(whole, { idempotencyKey: 'once-1' });
    const again = await rs.emails.send(whole, { idempotencyKey: 'once-1' });
    const small = { from: 'n@shop.test', to: 'l1@client.asia', subject: 'tok-rs-3', text: 'x' };
    const other = await rs.emails.send(small, { idempotencyKey: 'once-1' });
    const batch = await rs.batch.send([small, { ...small, to: 'l2@client.asia' }]);
    return {
      first,
      again,
      other: other.error,
      batch,
      got: await rs.emails.get(first.data.id),
      none: (await rs.emails.get('49a3999c-0ce1-4ea6-ab68-afcd6dc2e794')).error,
      wrong: (await of('wrong').emails.send(small)).error,
      bad: (await rs.emails.send({ ...small, to: 'not an address' })).error,
      badBatch: (await rs.batch.send([small, { ...small, to: 'not an address' }])).error,
      sender: (await rs.emails.send({ ...small, from: 'n@other.test' })).error,
      when: (await rs.emails.send({ ...small, scheduledAt: 'when it suits' })).error,
    };
  },

  async mailgun() {
    const Mailgun = require('mailgun.js').default || require('mailgun.js');
    const of = (key) => new Mailgun(FormData).client({ username: 'api', key, url: base });
    const mg = of('key-of-shop');
    const sent = await mg.messages.create('shop.test', {
      from: 'Ünïcode <n@shop.test>',
      to: ['"Ann, B." <ann@client.asia>', 'ben@client.asia'],
      cc: 'cyd@client.asia',
      bcc: 'dan@client.asia',
      'h:Reply-To': 'r@shop.test',
      'h:X-A': 'b',
      'v:my': 'x',
      'o:tag': ['t1', 't2'],
      ...letter('tok-mg-1'),
      attachment: [{ data: BYTES, filename: 'ünï.bin' }],
      inline: [{ data: PNG, filename: 'logo' }],
    });
    const personal = await mg.messages.create('shop.test', {
      from: 'n@shop.test',
      to: ['m1@client.asia', 'm2@client.asia'],
      subject: 'tok-mg-2 %recipient.name%',
      text: 'hello %recipient.name% of %recipient%',
      'recipient-variables': JSON.stringify({ 'm1@client.asia': { name: 'Äda' }, 'm2@client.asia': { name: 'Bob' } }),
    });
    const mime = await mg.messages.create('shop.test', {
      to: ['ann@client.asia'],
      message: 'From: n@shop.test\nTo: ann@client.asia\nBcc: secret@client.asia\nSubject: tok-mg-3\n\nbare LF\n',
    });
    const small = { from: 'n@shop.test', to: 'l1@client.asia', subject: 'tok-mg-no', text: 'x' };
    const tested = await mg.messages.create('shop.test', { ...small, 'o:testmode': 'yes' });
    const tell = (e) => [e.status, e.details];
    return {
      sent,
      personal,
      mime,
      tested,
      wrong: await failure(of('wrong').messages.create('shop.test', small), tell),
      bad: await failure(mg.messages.create('shop.test', { ...small, to: 'not an address' }), tell),
      noFrom: await failure(mg.messages.create('shop.test', { to: 'a@client.asia', subject: 's', text: 'x' }), tell),
      sender: await failure(mg.messages.create('shop.test', { ...small, from: 'n@other.test' }), tell),
      template: await failure(mg.messages.create('shop.test', { ...small, template: 't' }), tell),
    };
  },

  async sesv2() {
    const { SESv2Client, SendEmailCommand, SendBulkEmailCommand, GetAccountCommand } = require('@aws-sdk/client-sesv2');
    const of = (accessKeyId, secretAccessKey) =>
      new SESv2Client({ endpoint: base, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
    const ses = of('AKIASHOP', 'secret/of+shop');
    const { subject, text, html } = letter('tok-s2-1');
    const sent = await ses.send(new SendEmailCommand({
      FromEmailAddress: 'Ünïcode <n@shop.test>',
      Destination: { ToAddresses: ['"Ann, B." <ann@client.asia>', 'ben@client.asia'], CcAddresses: ['cyd@client.asia'], BccAddresses: ['dan@client.asia'] },
      ReplyToAddresses: ['r@shop.test'],
      Content: {
        Simple: {
          Subject: { Data: subject, Charset: 'UTF-8' },
          Body: { Text: { Data: text }, Html: { Data: html } },
          Headers: [{ Name: 'X-A', Value: 'b' }],
          Attachments: [
            { RawContent: BYTES, FileName: 'ünï.bin', ContentType: 'application/octet-stream' },
            { RawContent: PNG, FileName: 'logo.png', ContentType: 'image/png', ContentDisposition: 'INLINE', ContentId: 'logo' },
          ],
        },
      },
      EmailTags: [{ Name: 'k', Value: 'v' }],
    }));
    const raw = 'From: n@shop.test\nTo: "Ann, B." <ann@client.asia>,\n ben@client.asia\nBcc: secret@client.asia\nSubject: tok-s2-3\n\nbare LF\n';
    const whole = await ses.send(new SendEmailCommand({ Content: { Raw: { Data: Buffer.from(raw) } } }));
    const bulk = await ses.send(new SendBulkEmailCommand({
      FromEmailAddress: 'n@shop.test',
      DefaultContent: { Template: { TemplateContent: { Subject: 'tok-s2-2 {{name}}', Text: 'hello {{name}} in {{town}}' }, TemplateData: '{"name":"you","town":"Köln"}' } },
      BulkEmailEntries: [
        { Destination: { ToAddresses: ['m1@client.asia'] }, ReplacementEmailContent: { ReplacementTemplate: { ReplacementTemplateData: '{"name":"Äda"}' } } },
        { Destination: { ToAddresses: ['not an address'] } },
        { Destination: { ToAddresses: ['m2@client.asia'] } },
      ],
    }));
    const small = (to, from = 'n@shop.test') => new SendEmailCommand({
      FromEmailAddress: from, Destination: { ToAddresses: [to] },
      Content: { Simple: { Subject: { Data: 'tok-s2-no' }, Body: { Text: { Data: 'x' } } } },
    });
    const tell = (e) => [e.name, e.$metadata.httpStatusCode, e.message];
    return {
      sent,
      whole,
      bulk: bulk.BulkEmailEntryResults,
      account: (await ses.send(new GetAccountCommand({}))).SendQuota,
      key: await failure(of('AKIAWRONG', 'x').send(small('a@client.asia')), tell),
      secret: await failure(of('AKIASHOP', 'x').send(small('a@client.asia')), tell),
      bad: await failure(ses.send(small('not an address')), tell),
      sender: await failure(ses.send(small('a@client.asia', 'n@other.test')), tell),
      verify: await failure(ses.send(new SendEmailCommand({
        FromEmailAddress: 'invalid@invalid', Destination: { ToAddresses: ['invalid@invalid'] },
        Content: { Raw: { Data: Buffer.from('From: invalid@invalid\nTo: invalid@invalid\nSubject: tok-s2-no\n\nx') } },
      })), tell),
      template: await failure(ses.send(new SendEmailCommand({
        FromEmailAddress: 'n@shop.test', Destination: { ToAddresses: ['a@client.asia'] },
        Content: { Template: { TemplateName: 'T', TemplateData: '{}' } },
      })), tell),
    };
  },

  // nodemailer's own transport for SES.
  async nodemailer() {
    const { SESv2Client, SendEmailCommand } = require('@aws-sdk/client-sesv2');
    const of = (secretAccessKey) => require('nodemailer').createTransport({
      SES: { sesClient: new SESv2Client({ endpoint: base, region: 'us-east-1', credentials: { accessKeyId: 'AKIASHOP', secretAccessKey } }), SendEmailCommand },
    });
    const letter = { from: 'Ünïcode <n@shop.test>', to: 'ann@client.asia', bcc: 'dan@client.asia', subject: 'tok-nmses-1 Grüße', text: 'x' };
    const sent = await of('secret/of+shop').sendMail(letter);
    return {
      verify: await of('secret/of+shop').verify(),
      response: sent.response,
      wrong: await failure(of('x').sendMail(letter), (e) => e.name),
      unverified: await failure(of('x').verify(), (e) => e.name),
    };
  },

  // One call, sent again by the SDK itself when its answer is lost.
  async lost() {
    const { SESv2Client, SendEmailCommand } = require('@aws-sdk/client-sesv2');
    const ses = new SESv2Client({ endpoint: base, region: 'us-east-1', credentials: { accessKeyId: 'AKIASHOP', secretAccessKey: 'secret/of+shop' } });
    const sent = await ses.send(new SendEmailCommand({
      FromEmailAddress: 'n@shop.test', Destination: { ToAddresses: ['ann@client.asia', 'ben@client.asia'] },
      Content: { Simple: { Subject: { Data: 'tok-lost-1' }, Body: { Text: { Data: 'x' } } } },
    }));
    return { id: sent.MessageId, attempts: sent.$metadata.attempts };
  },

  async sesv1() {
    const { SESClient, SendEmailCommand, SendRawEmailCommand, GetSendQuotaCommand, SendTemplatedEmailCommand, ListConfigurationSetsCommand } = require('@aws-sdk/client-ses');
    const of = (accessKeyId, secretAccessKey) =>
      new SESClient({ endpoint: base, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
    const ses = of('AKIASHOP', 'secret/of+shop');
    const { subject, text, html } = letter('tok-s1-1');
    const sent = await ses.send(new SendEmailCommand({
      Source: 'Ünïcode <n@shop.test>',
      Destination: { ToAddresses: ['"Ann, B." <ann@client.asia>', 'ben@client.asia'], CcAddresses: ['cyd@client.asia'], BccAddresses: ['dan@client.asia'] },
      ReplyToAddresses: ['r@shop.test'],
      Message: { Subject: { Data: subject }, Body: { Text: { Data: text }, Html: { Data: html } } },
      Tags: [{ Name: 'k', Value: 'v' }],
    }));
    const raw = 'From: n@shop.test\nTo: nobody@client.asia\nSubject: tok-s1-3\n\nbare LF\n';
    const whole = await ses.send(new SendRawEmailCommand({ RawMessage: { Data: Buffer.from(raw) }, Destinations: ['ann@client.asia', 'ben@client.asia'] }));
    const small = (to, from = 'n@shop.test') => new SendEmailCommand({
      Source: from, Destination: { ToAddresses: [to] }, Message: { Subject: { Data: 'tok-s1-no' }, Body: { Text: { Data: 'x' } } },
    });
    const tell = (e) => [e.name, e.$metadata.httpStatusCode, e.message];
    const { SentLast24Hours, Max24HourSend, MaxSendRate } = await ses.send(new GetSendQuotaCommand({}));
    return {
      sent,
      whole,
      quota: { SentLast24Hours, Max24HourSend, MaxSendRate },
      key: await failure(of('AKIAWRONG', 'x').send(small('a@client.asia')), tell),
      secret: await failure(of('AKIASHOP', 'x').send(small('a@client.asia')), tell),
      bad: await failure(ses.send(small('not an address')), tell),
      sender: await failure(ses.send(small('a@client.asia', 'n@other.test')), tell),
      template: await failure(ses.send(new SendTemplatedEmailCommand({
        Source: 'n@shop.test', Destination: { ToAddresses: ['a@client.asia'] }, Template: 'T', TemplateData: '{}',
      })), tell),
      action: await failure(ses.send(new ListConfigurationSetsCommand({})), tell),
    };
  },
};

clients[client]().then(
  (told) => console.log(JSON.stringify(told)),
  (e) => { console.error(e); process.exit(1); },
);
