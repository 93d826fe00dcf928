"""The XML on standard input, as Python's parser (expat) reads it, as JSON. A document that is not well-formed ends it with an error."""
import json
import sys
import xml.etree.ElementTree as ElementTree


def plain(element):
    return {
        "tag": element.tag,
        "attributes": element.attrib,
        "text": element.text or "",
        "children": [plain(child) for child in element],
    }


json.dump(plain(ElementTree.fromstring(sys.stdin.buffer.read())), sys.stdout)
