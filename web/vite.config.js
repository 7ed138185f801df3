import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Markup that was not written in a component cannot come into a page: it would pass the one policy of trusted types. */
const noRawMarkup = {
  name: 'no-raw-markup',
  enforce: 'pre',
  transform(code, id) {
    if (!id.includes('/node_modules/') && /\{@html|innerHTML|insertAdjacentHTML/.test(code)) {
      this.error(`${id}: raw markup is not used here; say it in a component`);
    }
  },
};

/**
 * The terminal writes style elements and style attributes, which the policy of the page refuses. What it means by them is
 * said through objects instead, which the policy has nothing against; see `src/terminal/sheet.ts`. A release of it that
 * does so in other places does not build.
 */
const terminalUnderOurPolicy = {
  name: 'terminal-under-our-policy',
  transform(code, id) {
    if (!id.includes('@xterm/xterm/lib/')) return undefined;
    let [elements, attributes] = [0, 0];
    const said = code
      .replaceAll('createElement("style")', () => (elements++, 'createElement("wane-sheet")'))
      .replaceAll(/(\w+)\.setAttribute\("style",/g, (_, node) => (attributes++, `${node}.style.cssText=(`));
    if (elements !== 3 || attributes !== 1 || /innerHTML|new Function|\beval\(/.test(said)) {
      this.error(`${id} has changed: ${elements} style elements, ${attributes} style attributes; look at it anew`);
    }
    return { code: said, map: null };
  },
};

/** Each file once more in both codings, so that the server never compresses. */
const compressed = {
  name: 'compressed',
  writeBundle() {
    // The folder is there before anything is built, and git keeps nothing else of it.
    writeFileSync('dist/.gitignore', '*\n!.gitignore\n');
    for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || /^\.|\.(br|gz)$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      const bytes = readFileSync(file);
      const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
      writeFileSync(`${file}.br`, brotliCompressSync(bytes, quality));
      writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    }
  },
};

export default defineConfig({
  base: '/ui/',
  plugins: [noRawMarkup, terminalUnderOurPolicy, svelte(), compressed],
  build: {
    target: 'es2023',
    // What is inlined would need a laxer policy, and what is preloaded by a script as well.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
