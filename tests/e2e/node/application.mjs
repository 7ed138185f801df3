// An application behind the gateway, that tells what it was asked: HTTP/1.1 on one port, HTTP/2 without TLS on another.
//
//   node application.mjs PORT PORT2
//
// Says `listening`, then one line of JSON for each request whose head has arrived, and `gone` for each connection that broke off.
import { createServer } from 'node:http';
import http2 from 'node:http2';
import { createHash } from 'node:crypto';

const [port, port2] = process.argv.slice(2).map(Number);
const say = (what) => console.log(JSON.stringify(what));

const server = createServer({ maxHeaderSize: 65536 }, (request, response) => {
  const { method, url, rawHeaders } = request;
  say({ method, url, headers: rawHeaders });
  const path = url.split('?')[0];
  request.on('close', () => { if (!response.writableEnded) say({ gone: url }); });
  response.on('close', () => { if (!response.writableFinished) say({ gone: url }); });
  if (path === '/ticks') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const tick = setInterval(() => response.write('data: tick\n\n'), 20);
    response.on('close', () => clearInterval(tick));
    return;
  }
  if (path === '/silence') return;
  if (path === '/flood') {
    // More than every buffer on the way holds; somebody reads slowly.
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    const piece = Buffer.alloc(65536, 'x');
    const pour = () => { while (!response.destroyed && response.write(piece)); };
    response.on('drain', pour);
    pour();
    return;
  }
  if (path === '/big') {
    const bytes = Number(url.split('?')[1]);
    response.writeHead(200, { 'content-length': bytes });
    const piece = Buffer.alloc(65536, 'y');
    let left = bytes;
    const pour = () => {
      while (left > 0) {
        const some = piece.subarray(0, Math.min(left, piece.length));
        left -= some.length;
        if (!response.write(some)) return;
      }
      response.end();
    };
    response.on('drain', pour);
    pour();
    return;
  }
  if (path === '/moved') {
    response.writeHead(302, { location: 'http://elsewhere.invalid/', 'set-cookie': ['a=1; Domain=localhost; Path=/', '__Host-wane-app=stolen; Path=/; Secure'], 'alt-svc': 'h3=":1"' });
    response.end();
    return;
  }
  if (path === '/page') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><main><h1>The application</h1><p id="who">open</p></main>');
    return;
  }
  const hash = createHash('sha256');
  let size = 0;
  request.on('data', (piece) => { hash.update(piece); size += piece.length; });
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ method, url, headers: rawHeaders, trailers: request.rawTrailers, size, sha256: hash.digest('hex') }));
  });
});

// Whatever comes after the handshake goes back as it came.
server.on('upgrade', (request, socket) => {
  say({ method: request.method, url: request.url, headers: request.rawHeaders, upgrade: true });
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on('data', (piece) => socket.write(piece));
  socket.on('error', () => {});
  socket.on('close', () => say({ gone: request.url }));
});

const two = http2.createServer();
two.on('stream', (stream, headers) => {
  say({ method: headers[':method'], url: headers[':path'], te: headers.te ?? null, two: true });
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
  stream.on('trailers', (trailers) => say({ method: 'trailers', trailers, two: true }));
  stream.pipe(stream);
  stream.on('error', () => {});
});

server.listen(port, '127.0.0.1', () => two.listen(port2, '127.0.0.1', () => console.log('listening')));
