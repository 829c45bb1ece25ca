import { expect } from 'chai'
import { describeWithRedis } from '../support/redis-server.ts'
import { SCRIPTS } from './scripts/all.ts'
import { World } from './scripts/world.ts'

describeWithRedis('nothing stale is read', function () {
  this.timeout(30_000)
  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(name, async () => {
      expect(await World.run(script)).to.deep.equal([])
    })
  }
})
