// A simulator of what GitHub Actions says about jobs: an issuer of OpenID Connect tokens, and the address at which a
// runner hands them out. Derived from GitHub's documentation of its claims; nothing of GitHub is in it.
//
//   node github.mjs PORT
//
// A test says under /test/claims what is said about the next jobs. Its runner's own secret is `runner`.
import { createServer } from 'node:http';
import { generateKeyPairSync, createSign, randomUUID } from 'node:crypto';

const [port] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const kid = randomUUID();

// As documented for a job in the environment `prod`.
let job = {
  sub: 'repo:octo-org/octo-repo:environment:prod',
  environment: 'prod',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  ref_protected: 'true',
  sha: 'example-sha',
  repository: 'octo-org/octo-repo',
  repository_id: '74',
  repository_owner: 'octo-org',
  repository_owner_id: '65',
  repository_visibility: 'private',
  actor: 'octocat',
  actor_id: '12',
  run_id: 'example-run-id',
  run_number: '10',
  run_attempt: '2',
  runner_environment: 'github-hosted',
  workflow: 'example-workflow',
  head_ref: '',
  base_ref: '',
  event_name: 'workflow_dispatch',
  job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
};

function token(audience) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { typ: 'JWT', alg: 'RS256', x5t: 'example-thumbprint', kid };
  const claims = { jti: randomUUID(), ...job, aud: audience, iss: issuer, nbf: now - 600, exp: now + 300, iat: now };
  const body = `${part(header)}.${part(claims)}`;
  return `${body}.${createSign('RSA-SHA256').update(body).sign(privateKey).toString('base64url')}`;
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, issuer);
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  if (pathname === '/.well-known/openid-configuration') {
    return answer(200, {
      issuer, jwks_uri: `${issuer}/.well-known/jwks`, subject_types_supported: ['public', 'pairwise'],
      response_types_supported: ['id_token'], id_token_signing_alg_values_supported: ['RS256'], scopes_supported: ['openid'],
    });
  }
  if (pathname === '/.well-known/jwks') {
    return answer(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] });
  }
  if (pathname === '/test/claims') {
    let body = '';
    for await (const chunk of request) body += chunk;
    job = { ...job, ...JSON.parse(body) };
    return answer(200, {});
  }
  if (pathname === '/runner/token') {
    if (request.headers.authorization !== 'Bearer runner') return answer(401, { message: 'who is it?' });
    return answer(200, { count: 1, value: token(searchParams.get('audience') ?? 'https://github.com/octo-org') });
  }
  return answer(404, { message: 'nothing there' });
});
server.listen(Number(port), '127.0.0.1', () => console.log('listening'));
