import { BREAKDOWNS, BreakableRedis } from './breakdowns.ts'
import { print } from './figures.ts'
import { Scene } from './outage.ts'

/** Redis fails in every way under 500 requests per second; true when the application kept its bars. */
export async function measureOutages(): Promise<boolean> {
  let kept = true
  const redis = await BreakableRedis.start()
  try {
    for (const isNetwork of [false, true]) {
      const scene = await Scene.start(redis, isNetwork ? redis.proxy.url : redis.server.url)
      try {
        for (const breakdown of BREAKDOWNS.filter((it) => (it.isNetwork ?? false) === isNetwork)) {
          kept = print(`Redis: ${breakdown.name}`, await scene.suffer(breakdown)) && kept
        }
        kept = print(isNetwork ? 'behind the proxy, at the end' : 'at the end', await scene.end()) && kept
      } finally {
        await scene.stop()
      }
    }
  } finally {
    await redis.stop()
  }
  return kept
}
