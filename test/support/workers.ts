import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCache, withCache } from '../../middleware/index.ts'

/** A program whose workers share a port; it tells its parent which, and ends when the parent lets go of it. */

const WORKERS = 2

async function lead(): Promise<void> {
  const workers = Array.from({ length: WORKERS }, () => cluster.fork())
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')))
  process.once('disconnect', () => {
    for (const worker of workers) worker.process.kill('SIGKILL')
    void ended.then(() => process.exit())
  })
  const [[address]] = (await Promise.all(workers.map((worker) => once(worker, 'listening')))) as [[AddressInfo]]
  process.send?.(address.port)
}

/** Each run of the handler has a text of its own. */
async function work(name: number): Promise<void> {
  const [redis, namespace = ''] = process.argv.slice(2)
  const cache = createCache({ redis, namespace, deadlineMs: 1_000, ttl: '1h' })
  await cache.ready()
  let runs = 0
  const cached = withCache((_req, res) => res.end(`${name}.${++runs}`), { cache, headers: 'standard' })
  createServer((req, res) => {
    res.setHeader('X-Worker', name)
    cached(req, res)
  }).listen(0, '127.0.0.1')
}

await (cluster.worker === undefined ? lead() : work(cluster.worker.id))
