#include "tests/executor/symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

namespace executor {
namespace {

std::string demangled(const char* name) {
  int status = 0;
  char* readable = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  const std::string result = status == 0 ? readable : name;
  std::free(readable);
  return result;
}

std::vector<char> contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

// dladdr alone does not do: it knows exported functions only, and kernels have internal linkage.
std::string function_name(const void* address) {
  Dl_info object;
  if (dladdr(address, &object) == 0) return "?";
  const std::vector<char> elf = contents(object.dli_fname);
  if (elf.size() < sizeof(Elf64_Ehdr)) return "?";
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(elf.data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(elf.data() + header->e_shoff);
  const uint64_t base = header->e_type == ET_DYN ? reinterpret_cast<uint64_t>(object.dli_fbase) : 0;
  for (int s = 0; s < header->e_shnum; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    const char* names = elf.data() + sections[sections[s].sh_link].sh_offset;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(elf.data() + sections[s].sh_offset);
    for (size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i) {
      const bool function = ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC;
      if (function && base + symbols[i].st_value == reinterpret_cast<uint64_t>(address)) {
        return demangled(names + symbols[i].st_name);
      }
    }
  }
  return "?";
}

}  // namespace executor
