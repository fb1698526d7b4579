"""Count words, lengths and successors of some text files with dictionaries: python words.py FILE ..."""

import sys

words, followers = {}, {}
for path in sys.argv[1:]:
    before = ""
    with open(path, encoding="utf-8") as text:
        for line in text:
            for word in line.lower().split():
                words[word] = words.get(word, 0) + 1
                followers.setdefault(before, {}).setdefault(word, []).append(len(line))
                before = word
common = sorted(words, key=lambda word: (-words[word], word))[:20]
print([(word, words[word], len(followers.get(word, ()))) for word in common])
