import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { configFromEnv, ENVIRONMENT_VARIABLES, readEnvironment } from '../../lib/config.ts'
import { CacheError } from '../../lib/errors.ts'

const optionsOf = (env: Record<string, string | undefined>) => configFromEnv(env)

function problems(env: Record<string, string>): readonly string[] {
  try {
    configFromEnv(env)
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    expect(error.code).to.equal('ERR_CACHE_BAD_ENV')
    return error.message.split('\n  ').slice(1)
  }
  return []
}

describe('configFromEnv', () => {
  it('sets nothing where nothing is set', () => {
    expect(optionsOf({})).to.deep.equal({})
    expect(optionsOf({ HOME: '/root', REDIS_HOST: '', CACHE_DEFAULT_TTL: ' ' })).to.deep.equal({})
  })

  it('accepts process.env', () => {
    expect(optionsOf(process.env)).to.be.an('object')
  })

  context('for the place of Redis', () => {
    const places: readonly [string, Record<string, string>, unknown][] = [
      ['takes the URL', { REDIS_URL: 'rediss://u:p@cache.example:6380/2' }, 'rediss://u:p@cache.example:6380/2'],
      ['is memory only with an empty URL', { REDIS_URL: '', REDIS_HOST: 'db' }, false],
      ['is memory only when Redis is disabled', { REDIS_ENABLED: 'false', REDIS_URL: 'redis://db' }, false],
      [
        'lets the URL win over parts',
        { REDIS_URL: 'redis://a', REDIS_HOST: 'b', REDIS_NODE_1: 'c:1', REDIS_DB: '3' },
        'redis://a',
      ],
      ['is localhost when Redis is merely enabled', { REDIS_ENABLED: 'true' }, { host: 'localhost', port: 6379 }],
      [
        'is made of parts',
        { REDIS_HOST: 'db', REDIS_PORT: '6380', REDIS_PASSWORD: ' s ', REDIS_DB: '2', REDIS_TLS_ENABLED: '1' },
        { host: 'db', port: 6380, password: ' s ', db: 2, tls: {} },
      ],
      [
        'prefers the database of the cache',
        { REDIS_PORT: '1', REDIS_DB: '2', REDIS_CACHE_DB: '0' },
        { host: 'localhost', port: 1, db: 0 },
      ],
      ['needs more than a password', { REDIS_PASSWORD: 'secret' }, undefined],
      [
        'is a Cluster with its nodes in the order of their numbers',
        {
          REDIS_NODE_10: '[::1]:7002',
          REDIS_NODE_2: 'b:7001',
          REDIS_NODE_1: 'a:7000',
          REDIS_PASSWORD: 's',
          REDIS_TLS_ENABLED: 'no',
        },
        {
          cluster: [
            { host: 'a', port: 7000 },
            { host: 'b', port: 7001 },
            { host: '::1', port: 7002 },
          ],
          password: 's',
        },
      ],
    ]
    for (const [title, env, redis] of places) {
      it(title, () => {
        expect(optionsOf(env).redis).to.deep.equal(redis)
      })
    }
  })

  it('reads a lifetime in seconds, as a duration, or false', () => {
    const ttls = ['90', '0.5', '5m', 'false'].map((text) => optionsOf({ CACHE_DEFAULT_TTL: text }).ttl)
    expect(ttls).to.deep.equal([90, 0.5, '5m', false])
  })

  it('makes the namespace of a prefix', () => {
    expect(optionsOf({ REDIS_KEY_PREFIX: 'app:' }).namespace).to.equal('app')
    expect(optionsOf({ REDIS_KEY_PREFIX: 'app:', CACHE_KEY_PREFIX: 'app:cache::' }).namespace).to.equal('app:cache')
  })

  it('reads compression as a threshold or false', () => {
    const compression = (env: Record<string, string>) => optionsOf(env).compression
    expect(compression({ CACHE_ENABLE_COMPRESSION: 'true' })).to.equal(true)
    expect(compression({ CACHE_COMPRESSION_THRESHOLD: '2kb' })).to.deep.equal({ threshold: 2048 })
    expect(compression({ CACHE_COMPRESSION_THRESHOLD: '2048', CACHE_ENABLE_COMPRESSION: 'false' })).to.equal(false)
  })

  context('when values are not valid', () => {
    it('reports all of them in one error, each with name, value and fix', () => {
      expect(
        problems({
          REDIS_PORT: '70000',
          REDIS_TLS_ENABLED: 'maybe',
          CACHE_DEFAULT_TTL: '5 mins ago',
          CACHE_COMPRESSION_THRESHOLD: '5foo',
          REDIS_NODE_1: 'a',
          REDIS_MAX_MEMORY_POLICY: 'lru',
          REDIS_ACQUIRE_TIMEOUT: 'soon',
          REDIS_HOST: 'redis://db',
          CACHE_KEY_PREFIX: 'a{b}',
        }),
      ).to.have.members([
        'REDIS_HOST: "redis://db" is not possible here. Use a host name or address without scheme and port (a URL goes into REDIS_URL).',
        'REDIS_PORT: "70000" is not possible here. Use a whole number from 1 to 65535.',
        'REDIS_TLS_ENABLED: "maybe" is not possible here. Use true or false.',
        'CACHE_KEY_PREFIX: "a{b}" is not possible here. Use up to 100 letters, digits and punctuation without spaces or braces.',
        'CACHE_DEFAULT_TTL: "5 mins ago" is not possible here. Use a number of seconds, a duration such as \'5m\', or false for no lifetime of our own.',
        'CACHE_COMPRESSION_THRESHOLD: "5foo" is not possible here. Use a number of bytes or a size such as \'64kb\'.',
        'REDIS_ACQUIRE_TIMEOUT: "soon" is not possible here. Use a number of milliseconds or a duration such as \'50ms\'.',
        'REDIS_MAX_MEMORY_POLICY: "lru" is not possible here. Use one of noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, volatile-random, volatile-ttl.',
        'REDIS_NODE_1: "a" is not possible here. Use host:port, such as 10.0.0.1:6379 or [::1]:6379.',
      ])
    })

    it('reports contradictions', () => {
      expect(problems({ REDIS_POOL_MIN: '5', REDIS_POOL_MAX: '2' })).to.deep.equal([
        'REDIS_POOL_MIN: 5 is more than REDIS_POOL_MAX (2). Use a smaller number.',
      ])
      expect(problems({ REDIS_NODE_1: 'a:1', REDIS_DB: '2' })).to.deep.equal([
        'REDIS_DB: 2 is not possible with REDIS_NODE_1..n. Use 0: a Cluster has one database.',
      ])
    })

    for (const url of [
      'http://localhost:6379',
      'localhost:6379',
      'redis:',
      'redis://',
      'redis://h/one',
      'redis://h:99999',
      'x',
    ]) {
      it(`refuses ${url} as REDIS_URL`, () => {
        expect(problems({ REDIS_URL: url })).to.have.length(1)
      })
    }

    it('never shows a password', () => {
      const urls = [
        'http://user:hunter2@h',
        'redis://:hunter2@h/one',
        'redis://:hunter2',
        'redis://a:hunter2@b@c:x',
        'user:hunter2@h:6379',
        'redis://h/x?password=hunter2',
        'redis:/hunter2@h',
      ]
      for (const url of urls) {
        expect(problems({ REDIS_URL: url })[0], url)
          .to.be.a('string')
          .that.does.not.include('hunter2')
      }
      expect(problems({ REDIS_NODE_1: 'u:hunter2@h:1', REDIS_HOST: 'u:hunter2@h' }).join()).to.not.include('hunter2')
      expect(problems({ REDIS_PASSWORD: 'hunter2', REDIS_PORT: 'x' }).join()).to.not.include('hunter2')
    })

    it('throws nothing but CacheError, whatever the values', () => {
      const names = ENVIRONMENT_VARIABLES.map(({ name }) => name.replace('1..n', '1'))
      fc.assert(
        fc.property(
          fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.string(), fc.webUrl(), fc.nat().map(String))),
          (env) => {
            problems(env)
          },
        ),
      )
    })
  })

  it('reads over as many connections as the pool may have, or has at least', () => {
    expect(configFromEnv({ REDIS_POOL_MIN: '2', REDIS_POOL_MAX: '8' })).to.deep.equal({ poolSize: 8 })
    expect(configFromEnv({ REDIS_POOL_MIN: '2' })).to.deep.equal({ poolSize: 2 })
    expect(configFromEnv({ REDIS_POOL_MIN: '0' })).to.deep.equal({})
  })

  it('tells whether the default cache is on', () => {
    expect(readEnvironment({}).enabled).to.equal(true)
    expect(readEnvironment({ ENABLE_API_CACHE: 'off' }).enabled).to.equal(false)
  })

  it('names what is asked for and not done yet', () => {
    expect(
      readEnvironment({
        REDIS_ACQUIRE_TIMEOUT: '100',
        REDIS_MAX_MEMORY: '256mb',
        ENABLE_REDIS_RATE_LIMITING: 'true',
        REDIS_PORT: '1',
      }).notYet,
    ).to.deep.equal(['REDIS_ACQUIRE_TIMEOUT', 'REDIS_MAX_MEMORY', 'ENABLE_REDIS_RATE_LIMITING'])
  })

  it('does not name what asks for nothing', () => {
    expect(
      readEnvironment({
        CACHE_ENABLE_VERSIONING: 'false',
        ENABLE_REDIS_RATE_LIMITING: 'false',
        REDIS_MAX_RETRIES_PER_REQUEST: '0',
      }).notYet,
    ).to.deep.equal([])
  })
})

describe('docs/configuration.md', () => {
  it('has a row for each variable, as the table in the code says', () => {
    const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    const rows = page.split('\n').filter((line) => /^\| `[A-Z]/.test(line))
    expect(rows).to.deep.equal(
      ENVIRONMENT_VARIABLES.map(
        ({ name, expects, sets, help }) =>
          `| \`${name}\` | ${expects} | ${sets === undefined ? 'none yet' : sets} | ${help} |`,
      ),
    )
  })
})
