// A step of a job: has the runner hand out a token, with GitHub's own library for that.
//
//   node actions.mjs MODULES AUDIENCE
//
// The runner is where ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN say. The token is the last line.
import { pathToFileURL } from 'node:url';

const [modules, audience] = process.argv.slice(2);
const { getIDToken } = await import(pathToFileURL(`${modules}/@actions/core/lib/core.js`));
console.log(await getIDToken(audience));
