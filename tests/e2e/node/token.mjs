// A resource server in JavaScript: says whether `jose` takes a token.
//
//   node token.mjs MODULES < QUESTION
//
// MODULES is the folder of npm packages; the question is JSON: the token, and what it has to be.
import { pathToFileURL } from 'node:url';

const [modules] = process.argv.slice(2);
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(`${modules}/jose/dist/webapi/index.js`));

let text = '';
for await (const part of process.stdin) text += part;
const { token, issuer, audience, keys } = JSON.parse(text);
try {
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)), { issuer, audience, typ: 'at+jwt' });
  console.log(JSON.stringify({ good: true, claims: payload }));
} catch (error) {
  console.log(JSON.stringify({ good: false, why: `${error.code ?? error.name}: ${error.message}` }));
}
