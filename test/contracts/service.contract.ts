import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeLoads } from './loads.contract.ts'
import { describeForms } from './value-forms.contract.ts'
import { type CacheUnderTest, describeValues } from './values.contract.ts'

/** Everything the service promises, wherever values are kept. */
export function describeService(title: string, make: (options?: CacheOptions) => Promise<CacheUnderTest>): void {
  describe(`The service: ${title}`, () => {
    describeValues(title, make)
    describeForms(make)
    describeLoads(make)
  })
}
