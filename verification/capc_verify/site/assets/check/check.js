// Loads the pages of the site one after the other, looks at each in every width, and posts what is wrong with it.
const FRAMES = 2

const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))

function named(element) {
  const id = element.id ? `#${element.id}` : ""
  const words = element.textContent.trim().replace(/\s+/g, " ").slice(0, 50)
  return `<${element.tagName.toLowerCase()}${id}> "${words}"`
}

function scrolls(element, root) {
  for (let each = element.parentElement; each && each !== root; each = each.parentElement) {
    const overflow = getComputedStyle(each).overflowX
    if (overflow === "auto" || overflow === "scroll" || overflow === "hidden") return true
  }
  return false
}

// What reaches out of the page to the right, unless something around it scrolls.
function overflow(page, width) {
  const root = page.documentElement
  const found = []
  if (root.scrollWidth > root.clientWidth + 1) found.push(`${width} px: the page is ${root.scrollWidth} px wide`)
  for (const element of page.querySelectorAll(".md-content *")) {
    const box = element.getBoundingClientRect()
    if (box.width && box.right > root.clientWidth + 1 && !scrolls(element, root))
      found.push(`${width} px: ${named(element)} ends at ${Math.round(box.right)} px`)
  }
  for (const element of page.querySelectorAll(".md-content :is(pre, td, th, p, li, h1, h2, h3)")) {
    const style = page.defaultView.getComputedStyle(element)
    const cut = style.overflowX === "hidden" || style.overflowX === "clip"
    if (cut && element.clientWidth && element.scrollWidth > element.clientWidth + 1)
      found.push(`${width} px: ${named(element)} is cut off`)
  }
  return found.slice(0, 4)
}

// In a column that a word does not fit into, letters stand one above the other.
function tables(page, width) {
  const found = []
  for (const table of page.querySelectorAll(".md-content table:not(.highlighttable)")) {
    const counts = new Set([...table.rows].map(row => [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0)))
    if (counts.size > 1) found.push(`${named(table)} has rows of ${[...counts].join(" and ")} cells`)
    for (const cell of table.querySelectorAll("td, th")) {
      const long = cell.textContent.trim().length
      if (long > 12 && cell.clientWidth && cell.clientWidth < 60) {
        found.push(`${width} px: ${named(cell)} is ${cell.clientWidth} px wide`)
        break
      }
    }
  }
  return found.slice(0, 4)
}

// Marks of Markdown in what should be text.
function leftovers(page) {
  const found = []
  const walker = page.createTreeWalker(page.querySelector(".md-content") || page.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode
    if (text.parentElement.closest("code, pre, script, style, svg, .doc-signature, details")) continue
    if (/```|\]\(\S+\)|\*\*\S|^\s*\|[^|\n]+\|.*\|\s*$|^:::|<\/?[a-z]+ |&lt;/m.test(text.data))
      found.push(`not drawn: ${text.data.trim().slice(0, 60)}`)
  }
  return found.slice(0, 4)
}

function pictures(page) {
  const found = []
  for (const image of page.querySelectorAll(".md-content img"))
    if (!image.complete || !image.naturalWidth) found.push(`picture ${image.getAttribute("src")} is not drawn`)
  if (page.querySelector(".mermaid")) found.push("a diagram is not drawn")
  for (const figure of page.querySelectorAll("figure.diagram")) {
    const svg = figure.querySelector("svg")
    if (!svg || svg.getBoundingClientRect().width < 80) {
      found.push("a diagram is not drawn")
      continue
    }
    const frame = svg.viewBox.baseVal
    const words = [...svg.querySelectorAll("text")]
    if (!words.length) found.push("a diagram is empty")
    for (const each of words) {
      const box = each.getBBox()
      if (box.x < 0 || box.y < 0 || box.x + box.width > frame.width || box.y + box.height > frame.height)
        found.push(`"${each.textContent}" reaches out of its diagram`)
    }
    const boxes = words.map(each => [each.textContent, each.getBBox()])
    boxes.forEach(([text, a], place) => {
      for (const [other, b] of boxes.slice(place + 1))
        if (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height - 2 && b.y < a.y + a.height - 2)
          found.push(`"${text}" and "${other}" lie on each other in a diagram`)
    })
  }
  return found.slice(0, 4)
}

function requests(window) {
  const entries = window.performance.getEntriesByType("resource").map(entry => entry.name)
  return entries.filter(name => !name.startsWith(location.origin) && !name.startsWith("data:")).map(name => `asks for ${name}`)
}

async function look(frame, address, widths) {
  const found = []
  try {
    frame.style.width = `${widths[0]}px`
    await new Promise(done => {
      frame.addEventListener("load", done, { once: true })
      frame.src = address
    })
    const page = frame.contentDocument
    if (!page.querySelector(".md-content")) found.push("has no content")
    for (const width of widths) {
      frame.style.width = `${width}px`
      await drawn()
      found.push(...overflow(page, width), ...tables(page, width))
    }
    found.push(...leftovers(page), ...pictures(page), ...requests(frame.contentWindow))
  } catch (error) {
    found.push(`cannot be looked at: ${error}`)
  }
  return [...new Set(found)]
}

async function main() {
  const { pages, widths } = await (await fetch("pages.json")).json()
  const waiting = [...pages]
  const work = async () => {
    const frame = document.body.appendChild(document.createElement("iframe"))
    while (waiting.length) {
      const page = waiting.shift()
      const findings = await look(frame, `/${page}`, widths)
      await fetch("seen", { method: "POST", body: JSON.stringify({ page: decodeURIComponent(page), findings }) })
    }
  }
  await Promise.all(Array.from({ length: FRAMES }, work))
}

addEventListener("load", main)
