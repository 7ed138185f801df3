// Short words about what was just done, shown for a while and read out.

export interface Note {
  id: number;
  text: string;
}

class Notes {
  all = $state<Note[]>([]);
  #count = 0;

  say(text: string) {
    this.#count += 1;
    const id = this.#count;
    this.all = [...this.all, { id, text }].slice(-3);
    setTimeout(() => {
      this.all = this.all.filter((note) => note.id !== id);
    }, 8000);
  }
}

export const notes = new Notes();
