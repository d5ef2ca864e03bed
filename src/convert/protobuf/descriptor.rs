//! Compiles the text of a schema and of what it imports, as Confluent's `ProtobufSchema` (8.3.1) takes it, to descriptors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, UninterpretedOption,
};
use protox::prost_reflect::{FileDescriptor, MessageDescriptor};

use super::super::registry::RegisteredSchema;
use super::known;

/// The name under which a schema's own text is compiled, which none imports.
const SCHEMA: &str = "landfall/schema.proto";

/// The file of a schema.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn compile(schema: &RegisteredSchema) -> Result<FileDescriptor, String> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Known);
    let mut texts: Vec<_> = schema.references.clone();
    texts.push((SCHEMA.to_owned(), schema.text.clone()));
    resolver.add(Given { texts });
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file(SCHEMA).map_err(|error| reason(&error))?;
    let file = compiler.descriptor_pool().get_file_by_name(SCHEMA).ok_or("it holds no file")?;
    if !matches!(file.file_descriptor_proto().syntax(), "" | "proto2" | "proto3") {
        return Err(format!("its syntax is {}, and only proto2 and proto3 are supported", file.file_descriptor_proto().syntax()));
    }
    Ok(file)
}

/// The message at `path`: the place of a message in the file, of one in that, and so on. Entries of maps and groups do not count.
pub(super) fn message(file: &FileDescriptor, path: &[i32]) -> Option<MessageDescriptor> {
    let (first, rest) = path.split_first()?;
    let mut found = file.messages().nth(usize::try_from(*first).ok()?)?;
    for &at in rest {
        let at = usize::try_from(at).ok()?;
        let group = |inner: &MessageDescriptor| {
            found.fields().any(|field| field.is_group() && field.kind().as_message().is_some_and(|of| of == inner))
        };
        let inner = found.child_messages().filter(|inner| !inner.is_map_entry() && !group(inner)).nth(at)?;
        found = inner;
    }
    Some(found)
}

/// What is wrong, in one line, with where it is.
fn reason(error: &protox::Error) -> String {
    error.to_string().lines().collect::<Vec<_>>().join(" ")
}

/// Finds the files of [`known`].
struct Known;

impl FileResolver for Known {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match known::text(name) {
            Some(text) => File::from_source(name, &text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Finds the schema and its references.
struct Given {
    texts: Vec<(String, String)>,
}

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.texts.iter().find(|(known, _)| known == name).map(|(_, text)| text);
        let text = text.ok_or_else(|| protox::Error::file_not_found(name))?;
        let mut file = match File::from_source(name, text) {
            Ok(file) => FileDescriptorProto::from(file),
            // Some clients register the descriptor itself.
            Err(error) => decoded(name, text).ok_or(error)?,
        };
        self.tidy(&mut file);
        Ok(File::from_file_descriptor_proto(file))
    }
}

/// The descriptor that `text` is in base64.
fn decoded(name: &str, text: &str) -> Option<FileDescriptorProto> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let file = File::decode_file_descriptor_proto(bytes.as_slice()).ok()?;
    Some(FileDescriptorProto { name: Some(name.to_owned()), ..file.into() })
}

impl Given {
    /// Takes out of a file what Java does not look at, so that it does no harm: imports that are nowhere, options that are not the
    /// language's or Confluent's, services and extensions.
    fn tidy(&self, file: &mut FileDescriptorProto) {
        file.service.clear();
        file.extension.clear();
        file.source_code_info = None;
        if let Some(options) = &mut file.options {
            options.uninterpreted_option.retain(plain);
        }
        let mut confluent = false;
        file.message_type.iter_mut().for_each(|message| tidy_message(message, &mut confluent));
        file.enum_type.iter_mut().for_each(tidy_enum);

        let there = |name: &str| {
            name.starts_with("google/protobuf/")
                || known::text(name).is_some()
                || self.texts.iter().any(|(known, _)| known == name)
        };
        let (before, public) = (std::mem::take(&mut file.dependency), std::mem::take(&mut file.public_dependency));
        file.weak_dependency.clear();
        for (at, name) in before.into_iter().enumerate() {
            if !there(&name) || file.dependency.contains(&name) {
                continue;
            }
            if public.contains(&(at as i32)) {
                file.public_dependency.push(file.dependency.len() as i32);
            }
            file.dependency.push(name);
        }
        if confluent && file.dependency.iter().all(|name| name != known::META) {
            file.dependency.push(known::META.to_owned());
        }
    }
}

fn tidy_message(message: &mut DescriptorProto, confluent: &mut bool) {
    message.extension.clear();
    if let Some(options) = &mut message.options {
        options.uninterpreted_option.retain(plain);
    }
    for range in &mut message.extension_range {
        range.options = None;
    }
    for oneof in &mut message.oneof_decl {
        oneof.options = None;
    }
    message.field.iter_mut().for_each(|field| tidy_field(field, confluent));
    message.enum_type.iter_mut().for_each(tidy_enum);
    message.nested_type.iter_mut().for_each(|inner| tidy_message(inner, confluent));
}

fn tidy_field(field: &mut FieldDescriptorProto, confluent: &mut bool) {
    if let Some(options) = &mut field.options {
        options.uninterpreted_option.retain_mut(|option| match option.name.first_mut() {
            Some(name) if name.is_extension && name.name_part.trim_start_matches('.') == "confluent.field_meta" => {
                ".confluent.field_meta".clone_into(&mut name.name_part);
                *confluent = true;
                true
            }
            _ => plain(option),
        });
    }
}

fn tidy_enum(of: &mut EnumDescriptorProto) {
    if let Some(options) = &mut of.options {
        options.uninterpreted_option.retain(plain);
    }
    for value in &mut of.value {
        value.options = None;
    }
}

/// Whether the option is one of the language itself.
fn plain(option: &UninterpretedOption) -> bool {
    option.name.first().is_some_and(|name| !name.is_extension && name.name_part != "features")
}
