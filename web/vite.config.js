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
  plugins: [noRawMarkup, svelte(), compressed],
  build: {
    target: 'es2023',
    // What is inlined would need a laxer policy, and what is preloaded by a script as well.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
