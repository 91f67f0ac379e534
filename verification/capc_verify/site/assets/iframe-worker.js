// Pages that are opened as files may not start workers. There, a hidden frame runs the script of the search instead:
// it takes what is posted to it as its own messages, and what it posts comes back as those of the worker. As between
// workers, each side has copies.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.onmessage = null
      this.onerror = null
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.srcdoc = "<!doctype html><title>search</title>"
      this.frame.addEventListener("load", () => this.start(new URL(url, location.href).href), { once: true })
      document.body.append(this.frame)
    }
    start(url) {
      const inner = this.frame.contentWindow
      inner.postMessage = posted => {
        const data = structuredClone(posted)
        setTimeout(() => this.onmessage && this.onmessage(new MessageEvent("message", { data })))
      }
      const script = inner.document.createElement("script")
      script.src = url
      script.onerror = event => this.onerror && this.onerror(event)
      script.onload = () => {
        this.loaded = true
        this.waiting.splice(0).forEach(data => this.postMessage(data))
      }
      inner.document.body.append(script)
    }
    postMessage(data) {
      if (!this.loaded) {
        this.waiting.push(data)
        return
      }
      const inner = this.frame.contentWindow
      inner.dispatchEvent(new inner.MessageEvent("message", { data: inner.structuredClone(data) }))
    }
    terminate() {
      this.frame.remove()
    }
  }
}
