import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parseLogLine, readLines } from '../../examples/community/replay/access-log.ts'
import { replayTable } from '../../examples/community/replay/report.ts'
import { type ReplayRun, replayLog } from '../../examples/community/replay/run.ts'

const DAY = Date.UTC(2015, 4, 17)

describe('parseLogLine', () => {
  it('reads the common format', () => {
    expect(parseLogLine('10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 1234')).to.deep.equal({
      at: DAY + 36_303_000,
      method: 'GET',
      target: '/a?b=1',
      status: 200,
      size: 1234,
    })
  })

  it('reads the combined format, with a user of several words', () => {
    const line =
      'h - Jane Roe [17/May/2015:00:00:00 +0000] "HEAD / HTTP/1.0" 301 - "http://x/ [y] \\"" "Agent/1.0 (\\"q\\")"'
    expect(parseLogLine(line)).to.deep.equal({ at: DAY, method: 'HEAD', target: '/', status: 301, size: 0 })
  })

  it('applies the offset of the time', () => {
    const at = (offset: string) => parseLogLine(`h - - [17/May/2015:12:00:00 ${offset}] "GET / HTTP/1.1" 200 1`)?.at
    expect(at('+0200')).to.equal(DAY + 10 * 3_600_000)
    expect(at('-0730')).to.equal(DAY + 19.5 * 3_600_000)
  })

  it('encodes what may not be sent in a request line', () => {
    const target = (text: string) =>
      parseLogLine(`h - - [17/May/2015:00:00:00 +0000] "GET ${text} HTTP/1.1" 200 1`)?.target
    expect(target('/a b')).to.equal('/a%20b')
    expect(target('/caf\u00e9#x')).to.equal('/caf%E9%23x')
  })

  it('tolerates the end of line of other systems', () => {
    expect(parseLogLine('h - - [17/May/2015:00:00:00 +0000] "GET / HTTP/1.1" 200 5\r')?.size).to.equal(5)
  })

  const UNREADABLE: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['prose', 'the server was restarted'],
    ['a month that is none', 'h - - [17/Mai/2015:00:00:00 +0000] "GET / HTTP/1.1" 200 5'],
    ['an hour that is none', 'h - - [17/May/2015:25:00:00 +0000] "GET / HTTP/1.1" 200 5'],
    ['an empty request', 'h - - [17/May/2015:00:00:00 +0000] "-" 408 0'],
    ['binary noise', 'h - - [17/May/2015:00:00:00 +0000] "\\x16\\x03\\x01" 400 226'],
    ['a tunnel', 'h - - [17/May/2015:00:00:00 +0000] "CONNECT x:443 HTTP/1.1" 200 5'],
    ['another scheme', 'h - - [17/May/2015:00:00:00 +0000] "GET http://x/ HTTP/1.1" 200 5'],
    ['a status that is none', 'h - - [17/May/2015:00:00:00 +0000] "GET / HTTP/1.1" 999 5'],
    ['a request without an end', 'h - - [17/May/2015:00:00:00 +0000] "GET / HTTP/1.1'],
    ['a size that is none', 'h - - [17/May/2015:00:00:00 +0000] "GET / HTTP/1.1" 200 many'],
  ]
  for (const [what, line] of UNREADABLE) {
    it(`gives undefined for ${what}`, () => {
      expect(parseLogLine(line)).to.equal(undefined)
    })
  }
})

describe('an access log', function () {
  this.timeout(60_000)
  let directory: string

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewell-log-'))
  })

  after(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('is read line by line, with a last line that has no end and lines too long to keep', async () => {
    const file = write('lines.log', `one\n${'x'.repeat(200_000)}\n\nlast`)
    const lines: string[] = []
    for await (const { text } of readLines(file)) lines.push(text)
    expect(lines).to.deep.equal(['one', '(too long)', '', 'last'])
  })

  it('gives the hit rate of its own time line, whatever the speed of the replay', async () => {
    // Every 40 s for 10 minutes: 16 requests.
    const file = write(
      'steady.log',
      entries(16, (index) => ({ at: index * 40, path: '/page', status: 200, size: 1_000 })),
    )
    const { runs } = await replayLog({ file })
    const figures = runs.map(({ ttl, hits, handlerCalls }) => ({ ttl, hits, handlerCalls }))
    expect(figures).to.deep.equal([
      { ttl: '60s', hits: 8, handlerCalls: 8 },
      { ttl: '5m', hits: 14, handlerCalls: 2 },
      { ttl: '1h', hits: 15, handlerCalls: 1 },
    ])
  })

  it('counts bytes, handler calls and hits for each status logged', async () => {
    const file = write(
      'mixed.log',
      entries(9, (index) => MIXED[index] as Entry),
    )
    const { runs, urls } = await replayLog({ file, ttls: ['1h'] })
    const run = runs[0] as ReplayRun
    expect(urls).to.equal(4)
    expect(run.statuses).to.deep.equal([
      { status: 200, requests: 3, hits: 1, bytes: 2_100, bytesSaved: 1_000 },
      { status: 206, requests: 1, hits: 1, bytes: 400, bytesSaved: 400 },
      { status: 301, requests: 2, hits: 1, bytes: 40, bytesSaved: 20 },
      { status: 304, requests: 1, hits: 1, bytes: 1_000, bytesSaved: 1_000 },
      { status: 404, requests: 2, hits: 0, bytes: 60, bytesSaved: 0 },
    ])
    expect(run).to.include({
      requests: 9,
      hits: 4,
      handlerCalls: 5,
      handlerCallsSaved: 4,
      bytes: 3_600,
      bytesSaved: 2_420,
    })
    expect(run).to.include({ hitRate: 44.44, errors: 0, entries: 3 })
    expect(run.peakMemoryUsed).to.be.greaterThan(1_000)
    expect(run.peakRssBytes).to.be.greaterThan(10_000_000)
  })

  it('sends writes as they were logged, never as hits', async () => {
    const file = write(
      'writes.log',
      entries(4, (index) => ({
        at: index,
        path: '/form',
        status: 200,
        size: 10,
        method: index % 2 === 0 ? 'GET' : 'POST',
      })),
    )
    const { runs } = await replayLog({ file, ttls: ['1h'] })
    // The POST makes the stored answer of its URL wrong (RFC 9111 s. 4.4).
    expect(runs[0]).to.include({ requests: 4, hits: 0, handlerCalls: 4, errors: 0 })
  })

  it('skips and counts lines that do not parse', async () => {
    const good = entries(2, (index) => ({ at: index, path: '/', status: 200, size: 5 }))
    const file = write('dirty.log', `garbage\n${good}\u0000\u0001\n"\n`)
    const report = await replayLog({ file, ttls: ['60s'] })
    expect(report).to.include({ lines: 5, skipped: 3 })
    expect(report.skippedSamples[0]).to.equal('garbage')
    expect(report.runs[0]).to.include({ requests: 2, hits: 1 })
  })

  it('steps over times that run backwards', async () => {
    const times = [100, 90, 130]
    const file = write(
      'backwards.log',
      entries(3, (index) => ({ at: times[index] as number, path: '/', status: 200, size: 5 })),
    )
    const { runs } = await replayLog({ file, ttls: ['60s'] })
    expect(runs[0]).to.include({ hits: 2, handlerCalls: 1 })
  })

  it('replays bodies larger than a chunk, and an empty log', async () => {
    const large = write(
      'large.log',
      entries(2, (index) => ({ at: index, path: '/big', status: 200, size: 300_000 })),
    )
    const { runs } = await replayLog({ file: large, ttls: ['60s'] })
    expect(runs[0]).to.include({ hits: 1, bytes: 600_000, bytesSaved: 300_000 })
    const empty = await replayLog({ file: write('empty.log', ''), ttls: ['60s'] })
    expect(empty).to.include({ lines: 0, skipped: 0 })
    expect(empty.runs[0]).to.include({ requests: 0, hitRate: 0 })
  })

  it('says why a file cannot be read', async () => {
    const message = (file: string): Promise<string> =>
      replayLog({ file }).then(
        () => '',
        (error: Error) => error.message,
      )
    expect(await message(join(directory, 'none.log'))).to.match(/^Cannot read the log .*none\.log: no such file\.$/)
    expect(await message(directory)).to.match(/: it is a directory\.$/)
  })

  it('is reported as a table with a column for each lifetime', async () => {
    const file = write(
      'table.log',
      entries(2, (index) => ({ at: index, path: '/', status: 200, size: 5 })),
    )
    const table = replayTable(await replayLog({ file, ttls: ['60s', '5m'] }))
    expect(table).to.match(/^ttl +60s +5m$/m)
    expect(table).to.match(/^hit rate +50\.00 % +50\.00 %$/m)
    expect(table).to.match(/^ +200 +2 +1 +50\.00 % +0\.0 kB +0\.0 kB$/m)
  })

  interface Entry {
    readonly at: number
    readonly path: string
    readonly status: number
    readonly size: number | '-'
    readonly method?: string
  }

  const MIXED: readonly Entry[] = [
    { at: 0, path: '/page', status: 200, size: 1_000 },
    { at: 1, path: '/page', status: 200, size: 1_000 },
    { at: 2, path: '/page', status: 304, size: '-' },
    { at: 3, path: '/page', status: 206, size: 400 },
    { at: 4, path: '/other', status: 200, size: 100 },
    { at: 5, path: '/moved', status: 301, size: 20 },
    { at: 6, path: '/moved', status: 301, size: 20 },
    { at: 7, path: '/none', status: 404, size: 30 },
    { at: 8, path: '/none', status: 404, size: 30 },
  ]

  function entries(count: number, entryAt: (index: number) => Entry): string {
    return Array.from({ length: count }, (_, index) => {
      const { at, path, status, size, method = 'GET' } = entryAt(index)
      const time = new Date(DAY + at * 1_000).toISOString().slice(11, 19)
      return `1 - - [17/May/2015:${time} +0000] "${method} ${path} HTTP/1.1" ${status} ${size}\n`
    }).join('')
  }

  function write(name: string, content: string): string {
    const file = join(directory, name)
    writeFileSync(file, content, 'latin1')
    return file
  }
})
