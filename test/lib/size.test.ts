import { expect } from 'chai'
import { CacheError } from '../../lib/errors.ts'
import { parseSize } from '../../lib/size.ts'

describe('parseSize', () => {
  const accepted: readonly [unknown, number][] = [
    ['512b', 512],
    ['64kb', 65_536],
    ['100mb', 104_857_600],
    ['1gb', 1_073_741_824],
    ['1.5kb', 1_536],
    ['1KB', 1_024],
    ['0.3kb', 307],
    [1024, 1_024],
    [0, 0],
  ]
  for (const [value, bytes] of accepted) {
    it(`reads ${JSON.stringify(value)} as ${bytes} bytes`, () => {
      expect(parseSize('maxSize', value)).to.equal(bytes)
    })
  }

  const wrongTexts = ['', '100', '5foo', '5 mb', '-1mb', '1e3mb', 'mb', '99999999tb']
  const wrongValues: readonly unknown[] = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, null, undefined, true, {}, 5n]
  for (const value of [...wrongTexts, ...wrongValues]) {
    it(`refuses ${typeof value === 'string' ? JSON.stringify(value) : String(value)} of type ${typeof value}`, () => {
      expect(() => parseSize('maxSize', value))
        .to.throw(CacheError, /^maxSize: .* is not a size\. Use a string such as '64kb'/)
        .with.property('code', 'ERR_CACHE_BAD_SIZE')
    })
  }
})
