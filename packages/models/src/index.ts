export { type ModelCard, type ModelFigure, shippedFolder, shippedModels } from './shipped.js';
