import { below, pick, type Random } from '../../shared/random.ts'

/** Names, titles and texts put together from word lists: realistic enough to read, free of anybody's data. */

export const CATEGORIES: readonly string[] = [
  'arts',
  'books',
  'cooking',
  'cycling',
  'gardening',
  'history',
  'hiking',
  'music',
  'photography',
  'programming',
  'science',
  'travel',
]

const FIRST_NAMES =
  words(`Ada Amir Anika Anton Aya Beatriz Bruno Carla Chen Clara Daniel Dara Elif Emeka Emil Esther Farid Fatima
  Felix Freya Gita Hana Hugo Ibrahim Ines Ivan Jana Jonas Joao Kaito Karim Katya Lara Leif Lena Linh Lucia Magnus Mai Malik Marta
  Mateo Mei Mina Nadia Nils Noor Oksana Olga Omar Paula Pavel Priya Rafael Ravi Rosa Ruth Samir Sara Sofia Stefan Tariq Tessa Theo
  Tomas Uma Vera Viktor Wanda Yara Yusuf Zainab Zoe`)

const LAST_NAMES =
  words(`Abebe Adler Almeida Andersen Aziz Bakker Baranov Berg Bianchi Castro Costa Dahl Demir Diallo Dvorak Eriksen
  Fischer Fontaine Garcia Ghosh Haddad Hansen Hoffmann Horvat Ito Ivanova Jansen Kaya Keller Khan Kim Kovacs Kowalski Larsen Laurent
  Lindqvist Lopez Marino Martin Mensah Mori Moreau Nakamura Navarro Nguyen Novak Okafor Oliveira Olsen Patel Pereira Petrov Popescu
  Rahman Ricci Rossi Sato Schmidt Silva Singh Sokolov Suzuki Svensson Tanaka Toth Vargas Virtanen Weber Yamada Yilmaz Zhang`)

const PLACES = words(
  'Alpine Baltic Coastal Desert Eastern Highland Island Lakeside Metropolitan Northern Riverside Southern Urban Western',
)

const TOPICS: Readonly<Record<string, readonly string[]>> = {
  arts: words('Ceramics Drawing Etching Murals Sculpture Sketching Textiles Watercolour Weaving'),
  books: words('Biographies Classics Essays Mysteries Novels Poetry Readers Translations'),
  cooking: words('Baking Fermenting Grilling Noodles Pastry Pickling Preserves Sourdough Spices'),
  cycling: words('Commuters Frames Gravel Randonneurs Singletrack Touring Velodrome Wheelbuilding'),
  gardening: words('Allotments Bonsai Compost Greenhouses Herbs Orchards Perennials Roses Succulents'),
  history: words('Archives Castles Chronicles Coins Genealogy Maps Museums Railways Shipwrecks'),
  hiking: words('Bothies Campfires Daywalks Huts Peaks Ridges Thruhikes Trails Wilderness'),
  music: words('Accordion Choirs Drums Fiddle Guitars Jazz Piano Strings Synths Vinyl'),
  photography: words('Astro Darkroom Film Landscapes Lenses Macro Portraits Street Wildlife'),
  programming: words('Compilers Databases Debugging Embedded Frontend Graphics Networks Testing Types'),
  science: words('Astronomy Botany Chemistry Geology Meteorology Microscopes Optics Physics Statistics'),
  travel: words('Backpacking Ferries Hostels Itineraries Languages Nightbuses Rail Roadtrips Visas'),
}

const OPENERS: readonly string[] = [
  'How I learned to love',
  'Three years of',
  'A beginner asks about',
  'What nobody tells you about',
  'Show and tell:',
  'Weekly thread:',
  'Looking for advice on',
  'My first attempt at',
  'Unpopular opinion about',
  'A small guide to',
  'Lessons from',
  'Does anyone still do',
]

const SENTENCES: readonly string[] = [
  'I started in spring and have kept notes ever since.',
  'The weather did not help, but the company did.',
  'If you have tried this, tell me what you would do differently.',
  'It took four attempts before anything worked.',
  'The tools matter less than the hours.',
  'There is a good introduction in the wiki of this community.',
  'My neighbour lent me everything I needed.',
  'Pictures follow when the light is better.',
  'I would not recommend doing it in winter.',
  'The old method is slower, and I like it more.',
  'Thanks to everyone who answered last week.',
  'It is cheaper than it looks, and harder.',
]

const QUESTIONS: readonly string[] = [
  'Where should we meet next month?',
  'Which theme for the summer challenge?',
  'How often should the weekly thread run?',
  'Which day suits you for the workshop?',
  'What should we spend the fund on?',
  'Which book do we read next?',
  'Who should judge the contest?',
  'How long may an entry be?',
]

const ANSWERS: readonly (readonly string[])[] = [
  ['Yes', 'No', 'Undecided'],
  ['Monday', 'Wednesday', 'Saturday', 'Sunday'],
  ['Every week', 'Every two weeks', 'Once a month'],
  ['The first proposal', 'The second proposal', 'The third proposal', 'None of them'],
  ['Here', 'Elsewhere'],
]

export function communityName(random: Random, category: string): string {
  return `${pick(random, PLACES)} ${topic(random, category)}`
}

export function communityDescription(random: Random, category: string): string {
  return `Everything about ${topic(random, category).toLowerCase()}. ${pick(random, SENTENCES)}`
}

export function personName(random: Random): string {
  return `${pick(random, FIRST_NAMES)} ${pick(random, LAST_NAMES)}`
}

export function postTitle(random: Random, category: string): string {
  return `${pick(random, OPENERS)} ${topic(random, category).toLowerCase()}`
}

export function text(random: Random, sentences: number): string {
  const chosen: string[] = []
  for (let count = 1 + below(random, sentences); count > 0; count--) chosen.push(pick(random, SENTENCES))
  return chosen.join(' ')
}

export function questionTitle(random: Random): string {
  return pick(random, QUESTIONS)
}

export function answers(random: Random): readonly string[] {
  return pick(random, ANSWERS)
}

function topic(random: Random, category: string): string {
  return pick(random, TOPICS[category] ?? CATEGORIES)
}

function words(list: string): readonly string[] {
  return list.split(/\s+/)
}
