// A certified OpenID Connect provider on loopback, with people that a test makes up.
//
//   node provider.mjs MODULES PORT CLIENTS
//
// MODULES is the folder of npm packages, CLIENTS a JSON list of client metadata. Whoever comes to sign in says
// who they are in the query of the page they are sent to (`?as=SUB`); whatever else a test wants is under /test/.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [modules, port, clients] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const issuer = `http://127.0.0.1:${port}`;

// By `sub`: what is said of somebody, and how they showed who they are.
const people = new Map();
const said = [];
let lastSid;

function key(kind, alg, options) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

function keys() {
  return [
    key('rsa', 'RS256', { modulusLength: 2048 }),
    key('rsa', 'PS256', { modulusLength: 2048 }),
    key('ec', 'ES256', { namedCurve: 'P-256' }),
  ];
}

const cookieKeys = [randomUUID()];

function build() {
  const provider = new Provider(issuer, {
    clients: JSON.parse(clients),
    jwks: { keys: keys() },
    cookies: { keys: cookieKeys },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    scopes: ['openid', 'profile', 'groups'],
    claims: {
      openid: ['sub', 'acr', 'amr'], profile: ['name', 'preferred_username', 'department'], groups: ['groups'],
      auth_time: null, sid: null, iss: null,
    },
    conformIdTokenClaims: false,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, ...people.get(sub)?.claims }),
    }),
    // Its own way out keeps it from this machine, where the client is here.
    fetch: (url, { method, headers, body, redirect }) => {
      said.push({ url: String(url), body: String(body) });
      return globalThis.fetch(url, { method, headers, body, redirect });
    },
  });
  provider.on('authorization.success', (ctx) => { lastSid = ctx.oidc.session.sidFor(ctx.oidc.client.clientId); });
  return provider;
}

let provider = build();

async function interact(req, res, url) {
  const details = await provider.interactionDetails(req, res);
  const { prompt: { name }, params, session } = details;
  if (name === 'login') {
    const sub = url.searchParams.get('as');
    const { acr, amr } = people.get(sub) ?? {};
    return provider.interactionFinished(req, res, { login: { accountId: sub, acr, amr } }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid profile groups');
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

async function control(req, res, url) {
  let body = '';
  for await (const chunk of req) body += chunk;
  const input = body ? JSON.parse(body) : {};
  let out = {};
  switch (url.pathname) {
    case '/test/person':
      people.set(input.sub, input);
      break;
    case '/test/rotate':
      provider = build();
      break;
    case '/test/logout': {
      const client = await provider.Client.find(input.client);
      await client.backchannelLogout(input.sub, input.sid ?? lastSid).catch((error) => { out.error = `${error.message} ${error.cause ?? ""}`; });
      out.token = new URLSearchParams(said.at(-1).body).get('logout_token');
      out.sid = lastSid;
      break;
    }
    default:
      res.statusCode = 404;
  }
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify(out));
}

createServer((req, res) => {
  const url = new URL(req.url, issuer);
  const done = url.pathname.startsWith('/test/') ? control(req, res, url)
    : url.pathname.startsWith('/interaction/') ? interact(req, res, url)
      : provider.callback()(req, res);
  Promise.resolve(done).catch((error) => { res.statusCode = 500; res.end(String(error.stack)); });
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
