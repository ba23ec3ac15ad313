// Stands in for react-devtools-core, which Ink only loads in development.
export default {}
export const connectToDevTools = () => {}
