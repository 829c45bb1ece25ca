import { expect } from 'chai'
import {
  CODING,
  CONDITION,
  CONTENT,
  CREDENTIALS,
  DIRECTIVES,
  FORWARDED,
  heededIn,
  OVERRIDE,
  PRECONDITION,
  RANGE,
  UPGRADE,
} from '../../middleware/heeded.ts'

const NAMES: Readonly<Record<string, readonly string[]>> = {
  [CONTENT]: [':method', 'content-length', 'transfer-encoding'],
  [PRECONDITION]: ['if-match', 'if-unmodified-since'],
  [UPGRADE]: ['upgrade'],
  [OVERRIDE]: ['x-http-method', 'x-http-method-override', 'x-method-override'],
  [FORWARDED]: ['x-forwarded-host', 'x-forwarded-proto'],
  [CREDENTIALS]: ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'],
  [DIRECTIVES]: ['cache-control', 'pragma'],
  [CONDITION]: ['if-modified-since', 'if-none-match'],
  [RANGE]: ['range'],
  [CODING]: ['accept-encoding'],
}

describe('heededIn', () => {
  for (const [bit, names] of Object.entries(NAMES)) {
    for (const name of names) {
      it(`sees ${name}`, () => {
        expect(heededIn({ host: 'h', [name]: 'x', accept: '*/*' })).to.equal(Number(bit))
      })
    }
  }

  it('sees several at once', () => {
    expect(heededIn({ cookie: 'a=b', range: 'bytes=0-1', 'x-api-key': 'k' })).to.equal(CREDENTIALS | RANGE)
  })

  it('does not take what every object has for a field', () => {
    expect(heededIn({ host: 'h' })).to.equal(0)
    expect(heededIn({ constructor: 'x', __proto__: { toString: 'y' } } as never)).to.equal(0)
  })
})
