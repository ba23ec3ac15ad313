import { execFileSync, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'

export interface HttpGit extends AsyncDisposable {
  /** Address of the repository. */
  url: string
}

/** Serves a bare repository over http by git's own CGI program, for one user when a password is given. */
export async function httpGit(repository: string, password?: string): Promise<HttpGit> {
  execFileSync('git', ['--git-dir', repository, 'config', 'http.receivepack', 'true'])
  const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend')
  const server = createServer((request, response) => {
    const expected = `Basic ${Buffer.from(`me:${password}`).toString('base64')}`
    if (password !== undefined && request.headers.authorization !== expected) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="beads"' }).end()
      return
    }
    serve(backend, repository, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/${repository.split('/').at(-1)}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function serve(
  backend: string,
  repository: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const encoding = request.headers['content-encoding']
  const child = spawn(backend, {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: dirname(repository),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      REMOTE_USER: 'me',
      ...(encoding === undefined ? {} : { HTTP_CONTENT_ENCODING: String(encoding) }),
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  child.stdin.on('error', () => {})
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('close', () => answer(Buffer.concat(chunks), response))
}

/** What a CGI program printed: headers, an empty line, the body. */
function answer(output: Buffer, response: ServerResponse): void {
  const end = output.indexOf('\r\n\r\n')
  const headers = output
    .toString('latin1', 0, end)
    .split('\r\n')
    .map((line) => line.split(/: (.*)/s))
  const status = headers.find(([name]) => name === 'Status')?.[1]
  const kept = headers.filter(([name]) => name !== 'Status').map(([name = '', value = '']) => [name, value])
  response.writeHead(Number.parseInt(status ?? '200', 10), Object.fromEntries(kept))
  response.end(output.subarray(end + 4))
}
