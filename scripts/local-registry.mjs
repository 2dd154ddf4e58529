import { createServer } from 'node:http';

/** The whole body of a request. */
async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * A registry in memory, of what is published to it alone: `npm publish` puts a document with the tarball inside, `npm install`
 * reads the document and then the tarball. Anybody on this machine may do both.
 */
export function startRegistry() {
  const documents = new Map();
  const tarballs = new Map();

  function publish(document) {
    const known = documents.get(document.name);
    const [[version, manifest]] = Object.entries(document.versions);
    if (known?.versions[version]) return 409; // As npm does: nothing is published twice.
    const [{ data }] = Object.values(document._attachments);
    tarballs.set(new URL(manifest.dist.tarball).pathname, Buffer.from(data, 'base64'));
    const { _attachments, ...kept } = document;
    documents.set(document.name, {
      ...kept,
      versions: { ...known?.versions, ...document.versions },
      'dist-tags': { ...known?.['dist-tags'], ...document['dist-tags'] },
    });
    return 201;
  }

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://registry');
    const answer = (status, body = '{}', type = 'application/json') => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    if (request.method === 'PUT') {
      const status = publish(JSON.parse((await bodyOf(request)).toString('utf8')));
      return answer(status);
    }
    const tarball = tarballs.get(decodeURIComponent(pathname));
    if (tarball) return answer(200, tarball, 'application/octet-stream');
    const document = documents.get(decodeURIComponent(pathname.slice(1)));
    return document ? answer(200, JSON.stringify(document)) : answer(404);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const stop = () => {
        server.closeAllConnections();
        server.close();
      };
      resolve({ address: `http://127.0.0.1:${server.address().port}/`, stop });
    });
  });
}
