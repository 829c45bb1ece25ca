import { createHook } from 'node:async_hooks'

/** How often zlib is set to work, whichever of its functions is called, while `during` runs. */
export async function zlibWork(during: () => Promise<unknown>): Promise<number> {
  let begun = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'ZLIB') begun++
    },
  }).enable()
  try {
    await during()
  } finally {
    hook.disable()
  }
  return begun
}
