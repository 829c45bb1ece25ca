import { expect } from 'chai'
import { compareCasts } from '../../bench/casts.ts'
import type { Server } from '../../bench/server.ts'

describe('the casts of the benchmark', () => {
  it('are of new processes, and share out the rounds', async function () {
    this.timeout(60_000)
    const started: Server[] = []
    const rounds = await compareCasts(
      async (servers) => {
        // Those of the last cast have ended: nobody answers at their ports.
        for (const server of started) expect(await endOf(server)).to.equal('ended')
        const server = await servers.contestant('limits.ts', { contestant: 'node:http, origin', size: 1_000 })
        started.push(server)
        return [{ name: 'origin', server, ask: {} }]
      },
      { rounds: 4, short: true },
    )
    expect(started).to.have.length(3)
    expect(rounds.get('origin')).to.have.length(4)
  })

  it('are as many as there are rounds, where these are few', async function () {
    this.timeout(60_000)
    let casts = 0
    const rounds = await compareCasts(
      async () => {
        casts++
        return []
      },
      { rounds: 2, short: true },
    )
    expect([casts, rounds.size]).to.deep.equal([2, 0])
  })
})

async function endOf({ port }: Server): Promise<'ended' | 'answers'> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => 'answers',
    () => 'ended',
  )
}
