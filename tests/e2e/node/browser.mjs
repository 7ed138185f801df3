// A real browser with an authenticator that is not there: does what it is told on standard input, a line of JSON each,
// and answers with a line each.
//
//   node browser.mjs MODULES CHROMIUM [FLAG…]
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, ...flags] = process.argv.slice(2);
const { chromium } = (await import(pathToFileURL(`${modules}/playwright-core/index.mjs`)));
const browser = await chromium.launch({
  executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', ...flags],
});
const page = await (await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })).newPage();
page.setDefaultTimeout(60_000);
const problems = [];
page.on('pageerror', (error) => problems.push(error.message));
page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
const cdp = await page.context().newCDPSession(page);
await cdp.send('WebAuthn.enable');
let authenticator;

async function plug() {
  const options = {
    protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  ({ authenticatorId: authenticator } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options }));
}

await plug();
const acts = {
  goto: ({ url }) => page.goto(url).then(() => null),
  fill: ({ selector, value }) => page.fill(selector, value).then(() => null),
  click: ({ selector }) => page.click(selector).then(() => null),
  wait: ({ text }) => page.getByText(text).filter({ visible: true }).first().waitFor().then(() => null),
  text: () => page.innerText('main'),
  url: () => page.url(),
  cookie: async ({ name }) => (await page.context().cookies()).find((one) => one.name === name)?.value ?? null,
  kept: ({ url }) => page.context().cookies(url),
  verified: ({ is }) => cdp.send('WebAuthn.setUserVerified', { authenticatorId: authenticator, isUserVerified: is }).then(() => null),
  credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId: authenticator })).credentials,
  // Another authenticator, with these and no other credentials.
  swap: async ({ credentials }) => {
    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: authenticator });
    await plug();
    for (const credential of credentials) await cdp.send('WebAuthn.addCredential', { authenticatorId: authenticator, credential });
    return null;
  },
  // Somebody's session, in place of whoever's was there.
  as: async ({ name, value, url }) => {
    // The page of whoever it was goes on asking, in a session that is not its own any more.
    await page.goto('about:blank');
    await page.context().clearCookies();
    if (value) await page.context().addCookies([{ name, value, url, httpOnly: true, sameSite: 'Strict' }]);
    return null;
  },
  view: async ({ width, height, scheme }) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    return null;
  },
  press: ({ keys }) => page.keyboard.press(keys).then(() => null),
  type: ({ text }) => page.keyboard.type(text).then(() => null),
  title: () => page.title(),
  style: ({ selector, name }) => page.locator(selector).first().evaluate((node, name) => getComputedStyle(node).getPropertyValue(name), name),
  choose: ({ selector, value }) => page.selectOption(selector, value).then(() => null),
  // Somebody between the page and the server, who changes what it says.
  twist: ({ path, from, to }) => page.route(path, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replaceAll(from, to) });
  }).then(() => null),
  straight: () => page.unrouteAll().then(() => null),
  count: ({ selector }) => page.locator(selector).count(),
  copied: () => page.evaluate('navigator.clipboard.readText()'),
  // Presses what copies something, and waits for its word that it did, which stands for a moment only; what was copied.
  copies: async ({ selector }) => {
    await Promise.all([page.getByText('Copied').filter({ visible: true }).first().waitFor(), page.click(selector)]);
    return acts.copied();
  },
  // Put in as a debugger does, which the page's own policy has no say in; what the page does is still held to it.
  axe: async () => {
    if (!(await page.evaluate('"axe" in window'))) await page.evaluate(readFileSync(`${modules}/axe-core/axe.min.js`, 'utf8'));
    const said = await page.evaluate('axe.run({ resultTypes: ["violations"] })');
    return said.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => `${node.target} ${node.any.map((why) => why.message)}`).join('; ')}`);
  },
  // What would keep the page from being put on a phone; a browser of tests remembers nothing, which is no fault of it.
  uninstallable: async () => (await cdp.send('Page.getInstallabilityErrors')).installabilityErrors.map((one) => one.errorId).filter((id) => id !== 'in-incognito'),
  overflow: () => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
  picture: ({ path }) => page.screenshot({ path }).then(() => null),
  problems: () => problems.splice(0),
  // What a press of that saves, as text.
  saved: async ({ selector }) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
    return readFileSync(await download.path(), 'utf8');
  },
  reload: () => page.reload().then(() => null),
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const act = JSON.parse(line);
  try {
    console.log(JSON.stringify({ said: await acts[act.do](act) }));
  } catch (error) {
    console.log(JSON.stringify({ failed: `${error.message}\n${page.url()}\n${await page.innerText('body').catch(() => '')}\n${problems}` }));
  }
}
await browser.close();
