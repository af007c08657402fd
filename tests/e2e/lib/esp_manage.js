// What the ESPs' own SDKs ask beside sending: node esp_manage.js CLIENT BASE-URL
// dead@client.asia is suppressed, spam@client.asia complained; what is told is one JSON object.
const [, , client, base] = process.argv;
const host = base.replace('http://', '');
const DEAD = 'dead@client.asia';
const SPAM = 'spam@client.asia';
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
    const { Client } = require('@sendgrid/client');
    const of = (key) => {
      const c = new Client();
      c.setApiKey(key);
      c.setDefaultRequest('baseUrl', base);
      return c;
    };
    const ask = async (method, url, more = {}) => {
      const [answer, body] = await of('key-of-shop').request({ method, url: `/v3/${url}`, ...more });
      return [answer.statusCode, body];
    };
    const tell = (e) => [e.constructor.name, e.code, e.response.body.errors[0].message];
    const today = new Date().toISOString().slice(0, 10);
    return {
      scopes: (await ask('GET', 'scopes'))[1].scopes,
      wrong: await failure(of('wrong').request({ method: 'GET', url: '/v3/scopes' }), tell),
      bounces: (await ask('GET', 'suppression/bounces', { qs: { limit: 10, offset: 0 } }))[1].map((x) => x.email),
      reports: (await ask('GET', 'suppression/spam_reports'))[1].map((x) => x.email),
      one: (await ask('GET', `suppression/bounces/${DEAD}`))[1],
      deleted: await ask('DELETE', `suppression/bounces/${encodeURIComponent(DEAD)}`),
      after: (await ask('GET', `suppression/bounces/${DEAD}`))[1],
      again: await failure(ask('DELETE', `suppression/bounces/${DEAD}`), tell),
      stats: (await ask('GET', 'stats', { qs: { start_date: today } }))[1][0].stats[0].metrics,
      other: await failure(ask('GET', 'templates'), tell),
    };
  },

  async postmark() {
    const { ServerClient } = require('postmark');
    const of = (key) => new ServerClient(key, { requestHost: host, useHttps: false });
    const pm = of('key-of-shop');
    const tell = (e) => [e.name, e.code, e.statusCode, e.message];
    const sent = await pm.sendEmail({ From: 'n@shop.test', To: 'ann@client.asia', Subject: 'tok-mpm-1', TextBody: 'x', Metadata: { k: 'v' } });
    return {
      server: (await pm.getServer()).Name,
      wrong: await failure(of('wrong').getServer(), tell),
      details: await pm.getOutboundMessageDetails(sent.MessageID),
      stats: await pm.getOutboundOverview(),
      delivery: (await pm.getDeliveryStatistics()).Bounces[0].Name,
      inactive: await failure(pm.sendEmail({ From: 'n@shop.test', To: DEAD, Subject: 'tok-mpm-no', TextBody: 'x' }), tell),
      dump: (await pm.getSuppressions('outbound')).Suppressions.map((s) => [s.EmailAddress, s.SuppressionReason]),
      deleted: (await pm.deleteSuppressions('outbound', { Suppressions: [{ EmailAddress: DEAD }, { EmailAddress: SPAM }] })).Suppressions.map((s) => s.Status),
      after: (await pm.getSuppressions('outbound')).Suppressions.map((s) => s.EmailAddress),
      other: await failure(pm.getTemplates(), tell),
    };
  },

  async resend() {
    const { Resend } = require('resend');
    const of = (key) => new Resend(key, { baseUrl: base });
    const rs = of('key-of-shop');
    const mail = { from: 'n@shop.test', to: ['ann@client.asia', 'ben@client.asia'], cc: 'cyd@client.asia', subject: 'tok-mrs-no', text: 'x' };
    const later = await rs.emails.send({ ...mail, scheduledAt: 'in 1 hour' });
    const shown = await rs.emails.get(later.data.id);
    const now = await rs.emails.send({ ...mail, subject: 'tok-mrs-1' });
    return {
      ahead: new Date(shown.data.scheduled_at) - Date.now(),
      before: shown.data.last_event,
      cancelled: await rs.emails.cancel(later.data.id),
      same: later.data.id,
      after: (await rs.emails.get(later.data.id)).data.last_event,
      again: (await rs.emails.cancel(later.data.id)).error,
      sent: now.data.id,
      domains: (await rs.domains.list()).data.data.map((d) => d.name),
      wrong: (await of('wrong').domains.list()).error,
      other: (await rs.apiKeys.list()).error,
    };
  },

  async mailgun() {
    const Mailgun = require('mailgun.js').default || require('mailgun.js');
    const of = (key) => new Mailgun(FormData).client({ username: 'api', key, url: base });
    const mg = of('key-of-shop');
    const tell = (e) => [e.status, e.details];
    const all = [];
    for (let page; ;) {
      const list = await mg.suppressions.list('shop.test', 'bounces', { limit: 1, page });
      if (list.items.length === 0 || all.length > 10) break;
      all.push(...list.items.map((i) => i.address));
      page = list.pages.next.page;
    }
    return {
      domains: (await mg.domains.list()).map((d) => [d.name, d.state]),
      wrong: await failure(of('wrong').domains.list(), (e) => e.status),
      all,
      complaint: (await mg.suppressions.get('shop.test', 'complaints', SPAM)).address,
      deleted: await mg.suppressions.destroy('shop.test', 'bounces', DEAD),
      again: await failure(mg.suppressions.destroy('shop.test', 'bounces', DEAD), tell),
      foreign: await failure(mg.suppressions.list('other.test', 'bounces'), tell),
      other: await failure(mg.routes.list(), tell),
    };
  },

  async ses() {
    const v1 = require('@aws-sdk/client-ses');
    const v2 = require('@aws-sdk/client-sesv2');
    const options = { endpoint: base, region: 'us-east-1', credentials: { accessKeyId: 'AKIASHOP', secretAccessKey: 'secret/of+shop' }, maxAttempts: 1 };
    const one = new v1.SESClient(options);
    const two = new v2.SESv2Client(options);
    const tell = (e) => [e.name, e.$metadata.httpStatusCode, e.message];
    const listed = await two.send(new v2.ListSuppressedDestinationsCommand({ PageSize: 100, Reasons: ['BOUNCE'], StartDate: new Date(0) }));
    const entry = await two.send(new v2.GetSuppressedDestinationCommand({ EmailAddress: DEAD }));
    await two.send(new v2.DeleteSuppressedDestinationCommand({ EmailAddress: DEAD }));
    const points = await one.send(new v1.GetSendStatisticsCommand({}));
    return {
      listed: listed.SuppressedDestinationSummaries.map((s) => s.EmailAddress),
      entry: [entry.SuppressedDestination.Reason, Date.now() - entry.SuppressedDestination.LastUpdateTime],
      after: await failure(two.send(new v2.GetSuppressedDestinationCommand({ EmailAddress: DEAD })), tell),
      again: await failure(two.send(new v2.DeleteSuppressedDestinationCommand({ EmailAddress: DEAD })), tell),
      identities: (await two.send(new v2.ListEmailIdentitiesCommand({ PageSize: 5 }))).EmailIdentities.map((i) => i.IdentityName),
      identity: (await two.send(new v2.GetEmailIdentityCommand({ EmailIdentity: 'n@shop.test' }))).VerifiedForSendingStatus,
      foreign: await failure(two.send(new v2.GetEmailIdentityCommand({ EmailIdentity: 'other.test' })), tell),
      old: (await one.send(new v1.ListIdentitiesCommand({}))).Identities,
      verified: (await one.send(new v1.GetIdentityVerificationAttributesCommand({ Identities: ['shop.test', 'other.test'] }))).VerificationAttributes,
      enabled: (await one.send(new v1.GetAccountSendingEnabledCommand({}))).Enabled,
      attempts: points.SendDataPoints.reduce((sum, p) => sum + p.DeliveryAttempts, 0),
      other: await failure(two.send(new v2.ListEmailTemplatesCommand({})), tell),
      old_other: await failure(one.send(new v1.ListTemplatesCommand({})), tell),
    };
  },
};

clients[client]().then(
  (told) => console.log(JSON.stringify(told)),
  (e) => { console.error(e); process.exit(1); },
);
