// A simulator of what GitLab and Kubernetes say about jobs and service accounts: an issuer of OpenID Connect tokens. Derived
// from GitLab's documentation of the claims of its ID tokens, and from the Kubernetes API's (`TokenRequest`, bound service
// account tokens); nothing of either is in it.
//
//   node issuer.mjs gitlab|kubernetes PORT
//
// POST /test/token with `{"aud": …, "claims": {…}}` makes a token; what `claims` has is said instead.
import { createServer } from 'node:http';
import { generateKeyPairSync, createSign, randomUUID } from 'node:crypto';

const [sort, port] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const kid = randomUUID();

const gitlab = {
  namespace_id: '72', namespace_path: 'shop', project_id: '20', project_path: 'shop/api',
  user_id: '1', user_login: 'sample-user', user_email: 'sample-user@example.com', user_access_level: 'developer',
  user_identities: [{ provider: 'github', extern_uid: '2435223452345' }],
  pipeline_id: '574', pipeline_source: 'push', job_id: '302', ref: 'main', ref_type: 'branch', ref_path: 'refs/heads/main',
  ref_protected: 'true', groups_direct: ['shop'], environment: 'prod', environment_protected: 'true',
  deployment_tier: 'production', environment_action: 'start', runner_id: 1, runner_environment: 'self-hosted',
  sha: '714a629c0b401fdce83e847fc9589983fc6f46bc', project_visibility: 'private',
  ci_config_ref_uri: 'gitlab.example.com/shop/api//.gitlab-ci.yml@refs/heads/main', ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
  sub: 'project_path:shop/api:ref_type:branch:ref:main',
};
const kubernetes = {
  'kubernetes.io': {
    namespace: 'shop', node: { name: 'node-1', uid: 'c1b2' }, pod: { name: 'migrate-x2x1', uid: '5e0b7c5a' },
    serviceaccount: { name: 'deploy', uid: '9a2c-77d1' }, warnafter: 1_795_255_200,
  },
  sub: 'system:serviceaccount:shop:deploy',
};

function token(aud, claims) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const usual = sort === 'gitlab'
    ? [{ kid, typ: 'JWT', alg: 'RS256' }, { ...gitlab, jti: randomUUID(), iss: issuer, iat: now, nbf: now - 5, exp: now + 3600, aud }]
    : [{ alg: 'RS256', kid }, { aud: [aud], exp: now + 600, iat: now, iss: issuer, jti: randomUUID(), ...kubernetes, nbf: now }];
  const body = `${part(usual[0])}.${part({ ...usual[1], ...claims })}`;
  return `${body}.${createSign('RSA-SHA256').update(body).sign(privateKey).toString('base64url')}`;
}

const server = createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const jwks = sort === 'gitlab' ? '/oauth/discovery/keys' : '/openid/v1/jwks';
  if (request.url === '/.well-known/openid-configuration') {
    return answer(200, {
      issuer, jwks_uri: `${issuer}${jwks}`, subject_types_supported: ['public'], response_types_supported: ['id_token'],
      id_token_signing_alg_values_supported: ['RS256'],
    });
  }
  if (request.url === jwks) {
    return answer(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] });
  }
  if (request.url === '/test/token') {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { aud, claims } = JSON.parse(body);
    return answer(200, { token: token(aud, claims ?? {}) });
  }
  return answer(404, { message: 'nothing there' });
});
server.listen(Number(port), '127.0.0.1', () => console.log('listening'));
