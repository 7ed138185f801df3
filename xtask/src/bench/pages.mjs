// What somebody sees of a page and when, in Chromium: reads a plan in JSON on a line of standard input, prints what it saw.
//
//   node pages.mjs MODULES CHROMIUM
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, executablePath] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(`${modules}/playwright-core/index.mjs`));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, token, times } = JSON.parse((await lines.next()).value);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'] });

/** A phone as Lighthouse means one: a fourth of the processor, 1.6 Mbit/s, 150 ms away. */
const PHONE = { cpu: 4, network: { offline: false, latency: 150, downloadThroughput: (1.6 * 1024 * 1024) / 8, uploadThroughput: (750 * 1024) / 8 } };

/** A browser that was never here, signed in. */
async function visit(slow) {
  const context = await browser.newContext({ viewport: slow ? { width: 390, height: 844 } : { width: 1280, height: 860 } });
  await context.addCookies([{ name: 'wane', value: token, url, httpOnly: true, sameSite: 'Strict' }]);
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  if (slow) {
    await cdp.send('Network.emulateNetworkConditions', PHONE.network);
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: PHONE.cpu });
  }
  await page.addInitScript(() => {
    window.seen = { lcp: 0, interactions: [] };
    new PerformanceObserver((list) => { for (const one of list.getEntries()) window.seen.lcp = one.startTime; }).observe({ type: 'largest-contentful-paint', buffered: true });
    new PerformanceObserver((list) => { for (const one of list.getEntries()) if (one.interactionId) window.seen.interactions.push(one.duration); }).observe({ type: 'event', durationThreshold: 16, buffered: true });
  });
  let [bytes, files] = [0, 0];
  const asked = new Map();
  cdp.on('Network.requestWillBeSent', ({ requestId, request }) => asked.set(requestId, new URL(request.url).pathname));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const path = asked.get(requestId) ?? '';
    if (path.startsWith('/ui/') && !/icon|manifest/.test(path)) [bytes, files] = [bytes + encodedDataLength, files + 1];
  });
  await page.goto(`${url}/ui/`);
  // What somebody came for: the first thing they hold.
  await page.locator('.cards > .card').first().waitFor();
  // What is painted last counts once nothing larger comes.
  await page.waitForTimeout(slow ? 1500 : 700);
  return { context, page, bytes: () => bytes, files: () => files };
}

const found = { lcp_ms: [], phone_lcp_ms: [], interaction_ms: [], phone_interaction_ms: [], bytes: 0, files: 0 };
for (let n = 0; n < times; n += 1) {
  for (const slow of [false, true]) {
    const { context, page, bytes, files } = await visit(slow);
    if (!slow) [found.bytes, found.files] = [bytes(), files()];
    // An event ends what counts as the largest paint, so it is read before anything is pressed.
    found[slow ? 'phone_lcp_ms' : 'lcp_ms'].push(await page.evaluate('window.seen.lcp'));
    await page.locator('.card button.primary').first().click();
    await page.locator('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('a[href="/ui/ask"]').first().click();
    await page.locator('[role=combobox]').waitFor();
    await page.keyboard.type('deploy web');
    await page.waitForTimeout(300);
    // The browser tells in steps of 8 ms, and nothing of what took less than 16.
    found[slow ? 'phone_interaction_ms' : 'interaction_ms'].push(await page.evaluate('Math.max(16, ...window.seen.interactions)'));
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
