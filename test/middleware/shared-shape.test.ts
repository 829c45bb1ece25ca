import type { IncomingMessage, ServerResponse } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { EXPRESSES, makeListener } from '../support/app.ts'
import { type Bench, closeSites, makeBench, openSite, until } from '../support/site.ts'

/** Whether V8 has described one of them by a hidden class that the other has not; dictionaries need none. */
function differ(a: object, b: object): boolean {
  setFlagsFromString('--allow-natives-syntax')
  try {
    const compare = runInThisContext('(a, b) => %HasFastProperties(a) && !%HaveSameMap(a, b)') as typeof differ
    return compare(a, b)
  } finally {
    setFlagsFromString('--no-allow-natives-syntax')
  }
}

type Inner = (req: IncomingMessage, res: ServerResponse) => void

/** Both ways to stand in front of a handler. */
const MOUNTINGS = {
  cacheMiddleware: (framework: (typeof EXPRESSES)[number], cache: Cache, inner: Inner) =>
    makeListener(framework, [cacheMiddleware({ cache })], inner),
  withCache: (framework: (typeof EXPRESSES)[number], cache: Cache, inner: Inner) =>
    withCache(makeListener(framework, [], inner), { cache }),
}

for (const framework of EXPRESSES) {
  for (const [name, mount] of Object.entries(MOUNTINGS)) {
    describe(`requests and responses of ${framework} behind ${name}`, () => {
      let bench: Bench

      beforeEach(() => {
        bench = makeBench()
      })
      afterEach(closeSites)

      it('have no hidden class of their own', async () => {
        const seen: [IncomingMessage, ServerResponse][] = []
        const site = await openSite(mount(framework, bench.cache, (req, res) => void seen.push([req, res])))
        const answers = [site.get('/a'), site.get('/b')]
        await until(() => seen.length === 2)
        const [[firstReq, firstRes], [secondReq, secondRes]] = seen as [(typeof seen)[0], (typeof seen)[0]]
        const different = [differ(firstReq, secondReq), differ(firstRes, secondRes)]
        for (const [, res] of seen) res.end()
        await Promise.all(answers)
        expect(different).to.deep.equal([false, false])
      })

      it('are as Express makes them', async () => {
        const lists: { readonly req: readonly string[]; readonly res: readonly string[] }[] = []
        const note: Inner = (req, res) => {
          expect((req as { res?: unknown }).res).to.equal(res)
          expect(res.req).to.equal(req)
          lists.push({ req: Object.keys(req).sort(), res: Object.keys(res).sort() })
          res.end(`${req.method} ${req.url}`)
        }
        const uncached = await openSite(makeListener(framework, [], note))
        const cached = await openSite(mount(framework, bench.cache, note))
        for (const site of [uncached, cached]) {
          expect((await site.send({ method: 'OPTIONS', path: '/a?b' })).text).to.equal('OPTIONS /a?b')
        }
        const [plain, ours] = lists as [(typeof lists)[0], (typeof lists)[0]]
        expect(ours.req).to.deep.equal(plain.req)
        expect(ours.res).to.include.members(plain.res)
      })
    })
  }
}
