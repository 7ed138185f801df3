// What is typed or pasted, in pieces that the server takes: as bytes, so that none is longer than it says.

export function pieces(text: string, most: number): Uint8Array<ArrayBuffer>[] {
  const bytes = new TextEncoder().encode(text);
  return Array.from({ length: Math.ceil(bytes.length / most) }, (_, n) => bytes.slice(n * most, (n + 1) * most));
}
