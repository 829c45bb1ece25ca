import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'

/** What a process with this environment prints as JSON. */
async function inProcess(env: Readonly<Record<string, string>>, script: string): Promise<Record<string, unknown>> {
  const code = `
    import { createServer } from 'node:http'
    import { once } from 'node:events'
    import { cacheMiddleware, invalidateMiddleware, statsRouter } from './middleware/index.ts'
    import { defaultCache } from './lib/default-cache.ts'
    const codeOf = (run) => { try { run() } catch (error) { return { code: error.code, message: error.message } } }
    const warnings = []
    console.warn = (line) => warnings.push(line)
    const print = (value) => console.log(JSON.stringify(value))
    /** Ask twice through a default cacheMiddleware. */
    const askTwice = async () => {
      const middleware = cacheMiddleware()
      const server = createServer((req, res) => middleware(req, res, () => res.end('body'))).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = 'http://127.0.0.1:' + server.address().port + '/'
      const status = []
      for (let turn = 0; turn < 2; turn++) status.push((await fetch(url)).headers.get('cache-status'))
      server.closeAllConnections()
      server.close()
      return status
    }
    ${script}`
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:REDIS|CACHE|ENABLE)_/.test(name)),
  )
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    env: { ...clean, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  const [exit] = await once(child, 'close')
  expect(exit).to.equal(0)
  return JSON.parse(output) as Record<string, unknown>
}

describe('the default cache', () => {
  it('is in memory, one for the whole process, and made at first need', async () => {
    const result = await inProcess(
      {},
      `const before = globalThis[Symbol.for('cachewell')] === undefined
       const status = await askTwice()
       const { cache, enabled } = defaultCache()
       print({ before, status, enabled, same: defaultCache().cache === cache, hits: cache.stats().stats.hits,
         redis: cache.stats().redis.configured, warnings })
       await cache.close()`,
    )
    expect(result).to.include({ before: true, enabled: true, same: true, hits: 1, redis: false })
    expect((result.status as string[])[0]).to.match(/^cachewell; fwd=uri-miss; .*stored/)
    expect((result.status as string[])[1]).to.match(/^cachewell; hit; ttl=(?:59|60)/)
    expect(result.warnings).to.deep.equal([])
  })

  it('takes its options from the environment', async () => {
    const result = await inProcess(
      { CACHE_DEFAULT_TTL: '5m', REDIS_URL: 'redis://:secret@127.0.0.1:1', CACHE_KEY_PREFIX: 'shop' },
      `const { cache } = defaultCache()
       print({ ttl: cache.engine.defaults.ttl, redis: cache.stats().redis.configured })
       await cache.close()`,
    )
    expect(result).to.deep.equal({ ttl: 300_000, redis: true })
  })

  it('lets every request pass with ENABLE_API_CACHE=false', async () => {
    const result = await inProcess(
      { ENABLE_API_CACHE: 'false' },
      `const status = await askTwice()
       print({ status, enabled: defaultCache().enabled, stats: defaultCache().cache.stats().stats })`,
    )
    expect(result.enabled).to.equal(false)
    expect(result.status).to.deep.equal([null, null])
    expect(result.stats).to.include({ hits: 0, misses: 0, keyCount: 0 })
  })

  it('names all wrong variables in one error, each time it is needed, without passwords', async () => {
    const result = await inProcess(
      { CACHE_DEFAULT_TTL: 'soon', REDIS_PORT: '70000', ENABLE_API_CACHE: 'maybe', REDIS_URL: 'http://u:secret@h' },
      `print([codeOf(() => cacheMiddleware()), codeOf(() => invalidateMiddleware()), codeOf(() => statsRouter())])`,
    )
    const errors = result as unknown as readonly ({ code: string; message: string } | null)[]
    for (const error of errors) {
      expect(error?.code).to.equal('ERR_CACHE_BAD_ENV')
      for (const name of ['CACHE_DEFAULT_TTL', 'REDIS_PORT', 'ENABLE_API_CACHE', 'REDIS_URL']) {
        expect(error?.message).to.include(`${name}: `)
      }
      expect(error?.message).to.not.include('secret')
    }
  })

  it('warns of variables that have no effect yet', async () => {
    const { warnings } = await inProcess(
      { CACHE_MONITORING_ENABLED: 'true', REDIS_ACQUIRE_TIMEOUT: '10' },
      `const { cache } = defaultCache()
       print({ warnings })`,
    )
    expect(warnings).to.have.length(1)
    expect(String((warnings as string[])[0]))
      .to.include('CACHE_MONITORING_ENABLED')
      .and.include('REDIS_ACQUIRE_TIMEOUT')
  })
})
