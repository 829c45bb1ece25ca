import { LRUCache } from 'lru-cache'

const ONE = (): number => 1

/**
 * What was used last, at most so many; `onEvict` is told when one has given way to another. Grows as it fills: told `max`, an LRUCache
 * sets room aside for all of them at once.
 */
export function recent<Value extends object | number>(max: number, onEvict?: () => void): LRUCache<string, Value> {
  return new LRUCache({
    maxSize: max,
    sizeCalculation: ONE,
    ...(onEvict === undefined
      ? {}
      : {
          dispose: (_value, _key, reason) => {
            if (reason === 'evict') onEvict()
          },
        }),
  })
}
